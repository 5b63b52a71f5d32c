-- The queries of identity's store. Sets go in as arrays, one element a row: ids as they are, all else as text, see `arrays`.

-- name: add_identifiers
-- Identifiers a batch carried. An earlier sighting than the known one unsettles the lead, which is named by its earliest. Any
-- other leaves the row alone, also unlocked: whoever changes leads may hold it. OFFSET keeps a look-up what it is, here and below:
-- of a table that is small, or was when the plan was made, the planner would read the whole.
INSERT INTO identifiers AS known (id, value, first_at, lead, settled)
SELECT id, value, first_at, id, true
FROM unnest($1::uuid[], $2::text::text[], $3::text::timestamptz[]) AS seen (id, value, first_at)
WHERE NOT EXISTS (SELECT FROM identifiers k WHERE k.id = seen.id AND k.first_at <= seen.first_at OFFSET 0)
ON CONFLICT (id) DO UPDATE SET first_at = excluded.first_at, settled = false
WHERE excluded.first_at < known.first_at;

-- name: add_pairs
-- Identifiers that one event carried together; new ones are unsettled until the leads take them into account. Known ones are passed
-- over: an INSERT that meets one waits for whoever settles it, who may wait for an identifier of ours.
INSERT INTO pairs (a, b)
SELECT a, b FROM unnest($1::uuid[], $2::uuid[]) AS batch (a, b)
WHERE NOT EXISTS (SELECT FROM pairs k WHERE k.a = batch.a AND k.b = batch.b OFFSET 0)
ON CONFLICT DO NOTHING;

-- name: visitor_numbers
-- The numbers of those visitors that are known.
SELECT visitor_id, number FROM visitors WHERE visitor_id = ANY ($1::text[]);

-- name: add_visitors
-- Visitors that are new, as rows to lock. In order, so that two consumers never wait in a circle. Answers those that nobody
-- else has added meanwhile.
INSERT INTO visitors (visitor_id) SELECT v FROM unnest($1::text[]) AS v ORDER BY v ON CONFLICT (visitor_id) DO NOTHING
RETURNING visitor_id, number;

-- name: known_hits
-- The records of these event ids that are there already. Each is looked up by the key of hits, whatever the planner believes.
SELECT batch.visitor, batch.event_id, h.rank
FROM unnest($1::text::bigint[], $2::text::text[]) AS batch (visitor, event_id)
CROSS JOIN LATERAL (
    SELECT rank FROM hits WHERE hit_key(hits.visitor, hits.event_id) = hit_key(batch.visitor, batch.event_id)
        AND hits.visitor IS NOT DISTINCT FROM batch.visitor AND hits.event_id = batch.event_id OFFSET 0) AS h;

-- name: add_statements
-- Every record is kept, as of hits.
INSERT INTO statements (scope, event_id, occurred_at, rank, type, visitor_id, identifiers, a, b, undo, name, channel,
                        source, medium, campaign, person, day, amount, currency, to_currency, factor)
SELECT scope, event_id, occurred_at, rank, type, visitor_id, string_to_array(identifiers, ',')::uuid[], a, b, undo, name,
       channel, source, medium, campaign, person::jsonb, day, amount, currency, to_currency, factor
FROM unnest($1::uuid[], $2::text::text[], $3::text::timestamptz[], $4::uuid[], $5::text::text[], $6::text::text[],
            $7::text::text[], $8::uuid[], $9::uuid[], $10::text::boolean[], $11::text::text[], $12::text::text[],
            $13::text::text[], $14::text::text[], $15::text::text[], $16::text::text[], $17::text::date[],
            $18::text::bigint[], $19::text::text[], $20::text::text[], $21::text::numeric[])
     AS said (scope, event_id, occurred_at, rank, type, visitor_id, identifiers, a, b, undo, name, channel, source,
              medium, campaign, person, day, amount, currency, to_currency, factor)
ON CONFLICT DO NOTHING;

-- name: concerned_statements
-- The offline touches and cuts among all records of the batch's event ids, whether they count or not; and the forms and calls
-- among those records that the batch itself does not hold.
SELECT said.*
FROM unnest($1::uuid[], $2::text::text[], $3::uuid[]) AS batch (scope, event_id, rank)
CROSS JOIN LATERAL (
    SELECT s.scope, s.event_id, s.type, s.a, s.b, s.identifiers, s.occurred_at FROM statements s
    WHERE s.scope = batch.scope AND s.event_id = batch.event_id
        AND (s.type IN ('touch', 'unlink') OR s.type IN ('form', 'identify') AND s.rank <> batch.rank) OFFSET 0) AS said
UNION
SELECT said.*
FROM unnest($4::text::text[], $5::text::text[]) AS batch (visitor_id, event_id)
CROSS JOIN LATERAL (
    SELECT s.scope, s.event_id, s.type, s.a, s.b, s.identifiers, s.occurred_at FROM statements s
    WHERE s.visitor_id = batch.visitor_id AND s.event_id = batch.event_id AND s.visitor_id IS NOT NULL
        AND s.type IN ('touch', 'unlink') OFFSET 0) AS said;

-- name: registered_in
-- Whom the forms and calls of these event ids name, and when, whether they count or not.
SELECT s.identifiers, s.occurred_at
FROM statements s JOIN unnest($1::uuid[], $2::text::text[]) AS batch (scope, event_id) USING (scope, event_id)
WHERE s.type IN ('form', 'identify');

-- name: note_registrations
-- Where an identifier has no earlier registration than this one, its lead may have been created at another time, which concerns
-- its deals of any time. Of most there is no earlier record at all, so that none need be asked whether it counts.
-- OFFSET keeps that a look-up, whatever the planner believes of the batch.
INSERT INTO notes (consumer_group, kind, key)
SELECT DISTINCT 'attributor', 'touches', i.lead::text
FROM unnest($1::text::uuid[], $2::text::timestamptz[]) AS named (identifier, occurred_at)
CROSS JOIN LATERAL (SELECT id, lead, first_at FROM identifiers WHERE id = named.identifier OFFSET 0) AS i
WHERE CASE WHEN i.first_at >= named.occurred_at THEN true WHEN EXISTS (
        SELECT FROM statements s WHERE s.type IN ('form', 'identify')
            AND s.identifiers[1] = i.id AND s.occurred_at < named.occurred_at)
    OR EXISTS (
        SELECT FROM statements s WHERE s.type IN ('form', 'identify') AND s.identifiers[2] IS NOT NULL
            AND s.identifiers[2] = i.id AND s.occurred_at < named.occurred_at)
    OR EXISTS (
        SELECT FROM statements s WHERE s.type IN ('form', 'identify') AND s.identifiers[3] IS NOT NULL
            AND s.identifiers[3] = i.id AND s.occurred_at < named.occurred_at)
    THEN (SELECT r.first_at IS NULL OR r.first_at >= named.occurred_at FROM registration r WHERE r.identifier = i.id)
    ELSE true END;

-- name: add_carriers
-- Which visitors carry which identifiers, and when first and last.
INSERT INTO carriers AS known (identifier, visitor, from_at, to_at)
SELECT * FROM unnest($1::uuid[], $2::text::bigint[], $3::text::timestamptz[], $4::text::timestamptz[])
ON CONFLICT (identifier, visitor) DO UPDATE
SET from_at = least(known.from_at, excluded.from_at), to_at = greatest(known.to_at, excluded.to_at)
WHERE excluded.from_at < known.from_at OR excluded.to_at > known.to_at;

-- name: brings_links
-- Whether there is anything among the batch's pairs and identifiers that the leads do not take into account yet.
SELECT EXISTS (
        SELECT FROM unnest($1::uuid[], $2::uuid[]) AS batch (a, b)
        CROSS JOIN LATERAL (
            SELECT FROM pairs WHERE pairs.a = batch.a AND pairs.b = batch.b AND NOT settled OFFSET 0) AS open)
    OR EXISTS (SELECT FROM identifiers WHERE id = ANY ($3::uuid[]) AND NOT settled);

-- name: take_links
-- That, the identifiers each beside itself, and from here on the pairs are taken into account. By their places in the table,
-- which nobody else can change: the graph is locked.
WITH taken AS (
    UPDATE pairs SET settled = true WHERE ctid = ANY (ARRAY(
        SELECT open.ctid FROM unnest($1::uuid[], $2::uuid[]) AS batch (a, b)
        CROSS JOIN LATERAL (
            SELECT ctid FROM pairs WHERE pairs.a = batch.a AND pairs.b = batch.b AND NOT settled OFFSET 0) AS open))
    RETURNING a, b
)
SELECT a, b, EXISTS (SELECT FROM cuts WHERE (cuts.a, cuts.b) = (taken.a, taken.b)) AS cut FROM taken
UNION ALL
SELECT id, id, false FROM identifiers WHERE id = ANY ($3::uuid[]) AND NOT settled;

-- name: lock_graph
-- One at a time changes leads; held for a few milliseconds, never across a fold.
SELECT pg_advisory_xact_lock(hashtext('closedloop.graph'));

-- name: await_graph
-- Wait for whoever changes leads now: he may not see the facts that were committed since he began, and whoever comes later
-- does.
SELECT pg_advisory_xact_lock_shared(hashtext('closedloop.graph'));

-- name: put_cuts
-- Of these pairs hold apart those whose newest word says so, and no others. Answers the pairs where that is a change.
WITH batch AS (
    SELECT * FROM unnest($1::uuid[], $2::uuid[]) AS batch (a, b)
), decided AS (
    SELECT DISTINCT ON (s.a, s.b) s.a, s.b, s.undo
    FROM statement s JOIN batch USING (a, b)
    ORDER BY s.a, s.b, s.occurred_at DESC, s.event_id DESC, s.rank DESC
), lifted AS (
    DELETE FROM cuts c USING batch
    WHERE (c.a, c.b) = (batch.a, batch.b)
        AND NOT EXISTS (SELECT FROM decided d WHERE (d.a, d.b) = (c.a, c.b) AND NOT d.undo)
    RETURNING c.a, c.b
), made AS (
    INSERT INTO cuts SELECT a, b FROM decided WHERE NOT undo ON CONFLICT DO NOTHING RETURNING a, b
)
SELECT a, b FROM lifted UNION ALL SELECT a, b FROM made;

-- name: partner_counts
-- With how many partners of each kind each of these identifiers was seen, unlinked ones left out. Of one that is shared it
-- reads all, thousands perhaps, and is asked only when somebody unlinks one.
SELECT i.id, i.value, partner.kind AS partner_kind, count(*) AS partners
FROM identifiers i
CROSS JOIN LATERAL (
    SELECT b AS id FROM pairs WHERE a = i.id AND NOT EXISTS (SELECT FROM cuts WHERE (cuts.a, cuts.b) = (pairs.a, pairs.b))
    UNION ALL
    SELECT a FROM pairs WHERE b = i.id AND NOT EXISTS (SELECT FROM cuts WHERE (cuts.a, cuts.b) = (pairs.a, pairs.b))
    OFFSET 0
) AS beside
CROSS JOIN LATERAL (SELECT CASE split_part(value, ':', 1) WHEN 'crm' THEN 'crm:' || split_part(value, ':', 2)
                                ELSE split_part(value, ':', 1) END AS kind
                    FROM identifiers WHERE id = beside.id OFFSET 0) AS partner
WHERE i.id = ANY ($1::uuid[])
GROUP BY i.id, i.value, partner.kind;

-- name: component_members
-- Everyone in the leads that the changed identifiers and their partners belong to. The partners of one that is shared
-- already stay where they are, unless it is among those of $2, which no longer are. OFFSET keeps each look-up one by key,
-- whatever the planner believes: the pairs of thousands at once are what it guesses worst.
WITH near AS (
    SELECT id FROM unnest($1::uuid[]) AS t (id)
    UNION
    SELECT beside.id
    FROM identifiers t
    CROSS JOIN LATERAL (
        SELECT b AS id FROM pairs WHERE a = t.id UNION ALL SELECT a FROM pairs WHERE b = t.id OFFSET 0) AS beside
    WHERE t.id = ANY ($1::uuid[]) AND (NOT t.shared OR t.id = ANY ($2::uuid[]))
), concerned AS (
    SELECT DISTINCT i.lead FROM near CROSS JOIN LATERAL (SELECT lead FROM identifiers WHERE id = near.id OFFSET 0) AS i
)
SELECT i.* FROM concerned
CROSS JOIN LATERAL (
    SELECT id, value, first_at, lead, shared FROM identifiers WHERE lead = concerned.lead OFFSET 0) AS i;

-- name: pairs_around
-- All pairs of these identifiers, and those among the changed ones, each with whether it is held apart. The identifiers are
-- none that are shared: a login of thousands has thousands of pairs, and none of them connects anybody.
SELECT a, b, EXISTS (SELECT FROM cuts WHERE (cuts.a, cuts.b) = (near.a, near.b)) AS cut
FROM (
    SELECT a, b FROM pairs WHERE a = ANY ($1::uuid[])
    UNION
    SELECT a, b FROM pairs WHERE b = ANY ($1::uuid[])
    UNION
    SELECT a, b FROM pairs WHERE a = ANY ($2::uuid[]) AND b = ANY ($2::uuid[])
) AS near;

-- name: identifiers_by_id
-- What is known of these identifiers.
SELECT id, value, first_at, lead, shared FROM identifiers WHERE id = ANY ($1::uuid[]);

-- name: members_of
-- How many identifiers each of these leads has, counted up to $2: of the largest no more is read.
SELECT lead, (SELECT count(*) FROM (SELECT FROM identifiers i WHERE i.lead = asked.lead LIMIT $2) AS counted) AS members
FROM unnest($1::uuid[]) AS asked (lead);

-- name: note_visitors_of_joined
-- Who carries identifiers of several of the leads $1 that become one ($2) is concerned, as long as he carried those of leads
-- that are asked ($3); but for the instants at which the batch itself has events of his that name somebody ($5, $6): he is folded
-- there right after this, and again should the batch come back in parts, which what lies between two instants would not be.
-- So is who carries one of them and one of the lead $4, which becomes the same: it may be large, and is looked for among what
-- the visitor carries.
WITH meeting AS MATERIALIZED (
    SELECT visitor, unread, min(place) < max(place) AS in_several,
           min(from_at) FILTER (WHERE counts) AS from_at, max(to_at) FILTER (WHERE counts) AS to_at
    FROM (
        SELECT c.visitor, c.from_at, c.to_at, part.new, part.unread, part.place,
               part.is_asked AND (c.from_at < c.to_at OR (c.visitor, c.from_at) NOT IN (
                   SELECT * FROM unnest($5::text::bigint[], $6::text::timestamptz[]))) AS counts
        FROM unnest($1::uuid[], $2::uuid[], $3::text::boolean[], $4::uuid[])
            WITH ORDINALITY AS part (old, new, is_asked, unread, place)
        CROSS JOIN LATERAL (SELECT id FROM identifiers WHERE lead = part.old OFFSET 0) AS i
        CROSS JOIN LATERAL (
            SELECT visitor, from_at, to_at FROM carriers WHERE identifier = i.id OFFSET 0) AS c
        OFFSET 0) AS carried
    GROUP BY visitor, new, unread HAVING bool_or(counts)
)
INSERT INTO notes (consumer_group, kind, key, from_at, to_at)
SELECT 'identity', 'visitor', v.visitor_id, from_at, to_at
FROM meeting
CROSS JOIN LATERAL (SELECT visitor_id FROM visitors WHERE number = meeting.visitor OFFSET 0) AS v
WHERE in_several OR (unread IS NOT NULL AND unread IN (
    SELECT i.lead FROM carriers c
    CROSS JOIN LATERAL (SELECT lead FROM identifiers WHERE id = c.identifier OFFSET 0) AS i
    WHERE c.visitor = meeting.visitor));

-- name: move_leads
-- Whole leads, in order, become others. Which one is found by halving: a join might read all leads that there are.
UPDATE identifiers SET lead = ($2::uuid[])[width_bucket(lead, $1::uuid[])] WHERE lead = ANY ($1::uuid[]);

-- name: place_identifiers
-- The leads as decided. Who was seen earlier still in the meantime stays unsettled.
UPDATE identifiers SET lead = placed.lead, shared = placed.shared, settled = identifiers.first_at = placed.first_at
FROM unnest($1::uuid[], $2::text::timestamptz[], $3::uuid[], $4::text::boolean[]) AS placed (id, first_at, lead, shared)
WHERE identifiers.id = placed.id
  AND (identifiers.lead, identifiers.shared, identifiers.settled) IS DISTINCT FROM (placed.lead, placed.shared, true);

-- name: settle_pairs
-- These pairs are taken into account.
UPDATE pairs SET settled = true WHERE ctid = ANY (ARRAY(
    SELECT open.ctid FROM unnest($1::uuid[], $2::uuid[]) AS done (a, b)
    CROSS JOIN LATERAL (SELECT ctid FROM pairs WHERE pairs.a = done.a AND pairs.b = done.b AND NOT settled OFFSET 0) AS open));

-- name: lock_visitors
-- Nobody else folds these visitors until the transaction ends. In order, so that two consumers never wait in a circle.
SELECT visitor_id, number FROM visitors WHERE visitor_id = ANY ($1::text[]) ORDER BY visitor_id FOR UPDATE;

-- name: concerned_spans
-- From when to when each visitor's hits may have changed: all records of the batch's event ids, whether they count or not. And
-- which of these ids have several records.
SELECT batch.visitor, min(h.first_at) AS from_at, max(h.last_at) AS to_at,
       array_agg(batch.event_id) FILTER (WHERE h.records > 1) AS contested
FROM unnest($1::text::bigint[], $2::text::text[]) AS batch (visitor, event_id)
CROSS JOIN LATERAL (
    SELECT min(occurred_at) AS first_at, max(occurred_at) AS last_at, count(*) AS records FROM hits
    WHERE hit_key(hits.visitor, hits.event_id) = hit_key(batch.visitor, batch.event_id)
        AND hits.visitor IS NOT DISTINCT FROM batch.visitor AND hits.event_id = batch.event_id) AS h
GROUP BY batch.visitor;

-- name: fold_ranges
-- Where to fold: from the last visit that began before the change, up to the $4th that begins after it. Where the change
-- comes after that visit's last hit, the visit goes on from there, with the referrer of this hit.
SELECT span.visitor, resumed.started_at, resumed.touch_id, resumed.last_at, resumed.hits, resumed.channel,
       resumed.source, resumed.medium, resumed.campaign, resumed.content, resumed.term, resumed.running,
       resumed.landing_page, resumed.referrer, resumed.click_ids, resumed.identified, resumed.owner,
       last.event_id IS NOT NULL AS goes_on, last.referrer AS last_referrer,
       stop.started_at AS stop_at, stop.touch_id AS stop_id,
       (SELECT coalesce(sum(v.hits), 0) FROM visits v
        WHERE v.visitor = span.visitor AND v.started_at >= span.from_at
            AND v.started_at < coalesce(stop.started_at, 'infinity')) AS hits_between,
       NOT EXISTS (SELECT FROM visits v WHERE v.visitor = span.visitor AND v.started_at >= span.from_at) AS at_the_end
FROM unnest($1::text::bigint[], $2::text::timestamptz[], $3::text::timestamptz[]) AS span (visitor, from_at, to_at)
LEFT JOIN LATERAL (
    SELECT * FROM visits v WHERE v.visitor = span.visitor AND v.started_at < span.from_at
    ORDER BY v.started_at DESC, v.touch_id DESC LIMIT 1
) AS resumed ON true
LEFT JOIN LATERAL (
    SELECT h.event_id, h.referrer FROM counted h
    WHERE resumed.last_at < span.from_at AND h.visitor = span.visitor AND h.occurred_at = resumed.last_at
        AND h.type = ANY ($5::text[]) AND h.kept_apart IS NULL
    ORDER BY h.event_id DESC LIMIT 1
) AS last ON true
LEFT JOIN LATERAL (
    SELECT v.started_at, v.touch_id FROM visits v WHERE v.visitor = span.visitor AND v.started_at > span.to_at
    ORDER BY v.started_at, v.touch_id OFFSET $4::integer - 1 LIMIT 1
) AS stop ON true;

-- name: places_to_cut
-- Where a span would read more than $4 hits: the first visit in it that begins behind so many.
SELECT span.visitor, min(cut.started_at) AS cut_at
FROM unnest($1::text::bigint[], $2::text::timestamptz[], $3::text::timestamptz[]) AS span (visitor, from_at, to_at)
CROSS JOIN LATERAL (
    SELECT v.started_at, sum(v.hits) OVER earlier AS hits
    FROM visits v
    WHERE v.visitor = span.visitor AND v.started_at <= span.to_at AND v.started_at >= coalesce(
        (SELECT max(e.started_at) FROM visits e WHERE e.visitor = span.visitor AND e.started_at < span.from_at), span.from_at)
    WINDOW earlier AS (ORDER BY v.started_at, v.touch_id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
) AS cut
WHERE cut.hits > $4 AND cut.started_at > span.from_at
GROUP BY span.visitor;

-- name: hits_in_ranges
-- The records that count, are people's and of types that make visits, in these ranges, both ends included, with whom they
-- name. In no order: sorting a kiosk's day here would write it to a disk.
SELECT h.visitor, h.occurred_at, h.event_id, h.internal, h.only_referrer, h.url, h.referrer, h.channel, h.source,
       h.medium, h.campaign, h.content, h.term, h.click_ids, h.identifiers
FROM unnest($1::text::bigint[], $2::text::timestamptz[], $3::text::text[], $4::text::timestamptz[], $5::text::text[])
     AS part (visitor, from_at, from_id, to_at, to_id)
JOIN counted h ON h.visitor = part.visitor
    AND (h.occurred_at, h.event_id) >= (part.from_at, part.from_id)
    AND (h.occurred_at, h.event_id) <= (part.to_at, part.to_id)
WHERE h.type = ANY ($6::text[]) AND h.kept_apart IS NULL;

-- name: visits_in_ranges
-- The visits as they stand in these ranges, both ends included.
SELECT v.visitor, v.started_at, v.touch_id, v.last_at, v.hits, v.channel, v.source, v.medium, v.campaign, v.content, v.term,
       v.running, v.landing_page, v.referrer, v.click_ids, v.identified, v.owner
FROM unnest($1::text::bigint[], $2::text::timestamptz[], $3::text::text[], $4::text::timestamptz[], $5::text::text[])
     AS part (visitor, from_at, from_id, to_at, to_id)
JOIN visits v ON v.visitor = part.visitor
    AND (v.started_at, v.touch_id) >= (part.from_at, part.from_id)
    AND (v.started_at, v.touch_id) <= (part.to_at, part.to_id)
ORDER BY v.visitor, v.started_at, v.touch_id;

-- name: names_around
-- Whom the nearest naming visits before and from behind each range name.
SELECT part.visitor,
    (SELECT v.identified FROM visits v WHERE v.visitor = part.visitor AND v.identified IS NOT NULL
        AND (v.started_at, v.touch_id) < (part.from_at, part.from_id)
     ORDER BY v.started_at DESC, v.touch_id DESC LIMIT 1) AS before,
    (SELECT v.identified FROM visits v WHERE v.visitor = part.visitor AND v.identified IS NOT NULL
        AND (v.started_at, v.touch_id) >= (part.stop_at, part.stop_id)
     ORDER BY v.started_at, v.touch_id LIMIT 1) AS after
FROM unnest($1::text::bigint[], $2::text::timestamptz[], $3::text::text[], $4::text::timestamptz[], $5::text::text[])
     AS part (visitor, from_at, from_id, stop_at, stop_id);

-- name: remove_visits
-- Visits that the hits no longer make.
DELETE FROM visits v
USING unnest($1::text::bigint[], $2::text::timestamptz[], $3::text::text[]) AS gone (visitor, started_at, touch_id)
WHERE v.visitor = gone.visitor AND v.started_at = gone.started_at AND v.touch_id = gone.touch_id;

-- name: change_visits
-- Visits that stand, as they are now.
UPDATE visits v SET
    last_at = now.last_at, hits = now.hits, channel = now.channel, source = now.source, medium = now.medium,
    campaign = now.campaign, content = now.content, term = now.term, running = now.running::jsonb,
    landing_page = now.landing_page, referrer = now.referrer, click_ids = now.click_ids::jsonb,
    identified = now.identified, owner = now.owner
FROM unnest($1::text::bigint[], $2::text::timestamptz[], $3::text::text[], $4::text::timestamptz[], $5::text::integer[],
            $6::text::text[], $7::text::text[], $8::text::text[], $9::text::text[], $10::text::text[], $11::text::text[],
            $12::text::text[], $13::text::text[], $14::text::text[], $15::text::text[],
            $16::uuid[], $17::uuid[])
     AS now (visitor, started_at, touch_id, last_at, hits, channel, source, medium, campaign, content, term,
             running, landing_page, referrer, click_ids, identified, owner)
WHERE (v.visitor, v.started_at, v.touch_id) = (now.visitor, now.started_at, now.touch_id);

-- name: settle_owners
-- Owners outside of the folded ranges: backward to the visitor's first visit, forward to the next visit that names
-- somebody. Answers the visits whose owner changed, with the old and the new one.
WITH part AS (
    SELECT * FROM unnest($1::text::bigint[], $2::text::timestamptz[], $3::text::text[], $4::uuid[], $5::text::boolean[])
        AS part (visitor, edge_at, edge_id, owner, forward)
), bounds AS (
    SELECT part.visitor, part.owner, edge_at AS from_at, edge_id AS from_id,
           coalesce(next.started_at, 'infinity') AS to_at, coalesce(next.touch_id, '') AS to_id
    FROM part
    LEFT JOIN LATERAL (
        SELECT n.started_at, n.touch_id FROM visits n WHERE n.visitor = part.visitor AND n.identified IS NOT NULL
            AND (n.started_at, n.touch_id) >= (part.edge_at, part.edge_id)
        ORDER BY n.started_at, n.touch_id LIMIT 1) AS next ON true
    WHERE forward
    UNION ALL
    SELECT visitor, owner, '-infinity', '', edge_at, edge_id FROM part WHERE NOT forward
), settled AS (
    SELECT v.*, bounds.owner AS new_owner
    FROM bounds
    CROSS JOIN LATERAL (
        SELECT visitor, started_at, touch_id, owner AS old_owner FROM visits
        WHERE visits.visitor = bounds.visitor AND visits.owner IS DISTINCT FROM bounds.owner
            AND (visits.started_at, visits.touch_id) >= (bounds.from_at, bounds.from_id)
            AND (visits.started_at, visits.touch_id) < (bounds.to_at, bounds.to_id) OFFSET 0) AS v
)
UPDATE visits v SET owner = settled.new_owner FROM settled
WHERE v.visitor = settled.visitor AND v.started_at = settled.started_at AND v.touch_id = settled.touch_id
RETURNING v.started_at, settled.old_owner, settled.new_owner, v.landing_page IS NOT NULL AS is_touch;

-- name: lock_touches
-- The records of offline touches of these keys and visitors. In order, and after the visitors' locks, so that two
-- consumers never wait in a circle.
WITH near AS (
    SELECT * FROM unnest($1::uuid[], $2::text::text[]) AS batch (scope, event_id)
    UNION
    SELECT scope, event_id FROM statements
    WHERE visitor_id = ANY ($3::text[]) AND visitor_id IS NOT NULL AND type = 'touch'
)
SELECT s.scope, s.event_id FROM statements s JOIN near USING (scope, event_id)
WHERE s.type = 'touch'
ORDER BY s.scope, s.event_id, s.occurred_at, s.rank FOR UPDATE OF s;

-- name: standing_touches
-- The offline touches of these keys as they stand.
SELECT t.scope, t.touch_id, t.occurred_at, t.visitor_id, t.name, t.channel, t.source, t.medium, t.campaign, t.owner
FROM offline_touches t JOIN unnest($1::uuid[], $2::text::text[]) AS batch (scope, touch_id) USING (scope, touch_id);

-- name: due_touches
-- The offline touches of these keys that count, each with its owner: whom it names, else who owns the visitor's last visit
-- at or before it, else who owns the first.
SELECT s.scope, s.event_id, s.occurred_at, s.visitor_id, s.name, s.channel, s.source, s.medium, s.campaign,
    coalesce(
        (SELECT i.id FROM unnest(s.identifiers) WITH ORDINALITY AS named (id, place) JOIN identifiers i USING (id)
         WHERE NOT i.shared ORDER BY named.place LIMIT 1),
        (SELECT v.owner FROM visits v WHERE v.visitor = o.number AND v.started_at <= s.occurred_at
         ORDER BY v.started_at DESC, v.touch_id DESC LIMIT 1),
        (SELECT v.owner FROM visits v WHERE v.visitor = o.number ORDER BY v.started_at, v.touch_id LIMIT 1))
FROM statement s JOIN unnest($1::uuid[], $2::text::text[]) AS batch (scope, event_id) USING (scope, event_id)
LEFT JOIN visitors o USING (visitor_id)
WHERE s.type = 'touch' AND s.channel IS NOT NULL;

-- name: remove_touches
-- Offline touches whose event ids others have taken.
DELETE FROM offline_touches t USING unnest($1::uuid[], $2::text::text[]) AS gone (scope, touch_id)
WHERE t.scope = gone.scope AND t.touch_id = gone.touch_id;

-- name: put_touches
-- Offline touches that are new or changed.
INSERT INTO offline_touches (scope, touch_id, occurred_at, visitor_id, name, channel, source, medium, campaign, owner)
SELECT * FROM unnest($1::uuid[], $2::text::text[], $3::text::timestamptz[], $4::text::text[], $5::text::text[], $6::text::text[],
                     $7::text::text[], $8::text::text[], $9::text::text[], $10::uuid[])
ON CONFLICT (scope, touch_id) DO UPDATE SET
    occurred_at = excluded.occurred_at, visitor_id = excluded.visitor_id, name = excluded.name,
    channel = excluded.channel, source = excluded.source, medium = excluded.medium, campaign = excluded.campaign,
    owner = excluded.owner;

-- name: put_off_folds
-- Spans of visitors to fold in $4 seconds: the note that waits for a visitor takes in more, so that there is one each. One that
-- is due within a second takes in nothing earlier: it may be the rest of a long one, which would never come to its end. The
-- visitors are locked; who has claimed a note waits for that, and is not waited for. A note that fails waits alone.
WITH span AS (
    SELECT v.visitor_id, span.from_at, span.to_at, span.seconds
    FROM unnest($1::text::bigint[], $2::text::timestamptz[], $3::text::timestamptz[], $4::text::integer[])
        AS span (visitor, from_at, to_at, seconds) JOIN visitors v ON v.number = span.visitor
), waiting AS (
    SELECT n.id AS note, span.* FROM notes n JOIN span ON n.key = span.visitor_id
    WHERE n.consumer_group = 'identity' AND n.kind = 'visitor' AND n.due_at > clock_timestamp() AND n.due_at > '-infinity'
        AND n.failures = 0 AND (span.from_at >= n.from_at OR n.due_at > clock_timestamp() + interval '1 second')
    FOR UPDATE OF n SKIP LOCKED
), widened AS (
    UPDATE notes n SET from_at = least(n.from_at, w.from_at), to_at = greatest(n.to_at, w.to_at)
    FROM waiting w WHERE n.id = w.note RETURNING w.visitor_id
)
INSERT INTO notes (consumer_group, kind, key, from_at, to_at, due_at)
SELECT 'identity', 'visitor', visitor_id, from_at, to_at, clock_timestamp() + interval '1 second' * seconds
FROM span WHERE visitor_id NOT IN (SELECT visitor_id FROM widened);

-- name: leave_notes
-- What others must look at again.
INSERT INTO notes (consumer_group, kind, key, from_at, to_at)
SELECT * FROM unnest($1::text::text[], $2::text::text[], $3::text::text[], $4::text::timestamptz[], $5::text::timestamptz[]);

-- name: note_visitors_of_leads
-- A changed lead concerns visitors that carry one of its identifiers and another one, as long as they carried it: only there
-- visits split or join. It may have become part of another since; it still is where the identifier is that named it.
INSERT INTO notes (consumer_group, kind, key, from_at, to_at)
SELECT 'identity', 'visitor', v.visitor_id, min(c.from_at), max(c.to_at)
FROM identifiers named
CROSS JOIN LATERAL (SELECT id FROM identifiers WHERE lead = named.lead OFFSET 0) AS i
CROSS JOIN LATERAL (
    SELECT * FROM carriers WHERE identifier = i.id
        AND EXISTS (SELECT FROM carriers other WHERE other.visitor = carriers.visitor AND other.identifier <> i.id)
    OFFSET 0) AS c
CROSS JOIN LATERAL (SELECT visitor_id FROM visitors WHERE number = c.visitor OFFSET 0) AS v
WHERE named.id = ANY ($1::uuid[])
GROUP BY v.visitor_id;

-- name: note_visitors_of_identifiers
-- An identifier that names nobody any more, or somebody again, concerns all visitors that carry it, as long as they did.
INSERT INTO notes (consumer_group, kind, key, from_at, to_at)
SELECT 'identity', 'visitor', v.visitor_id, min(c.from_at), max(c.to_at)
FROM carriers c CROSS JOIN LATERAL (SELECT visitor_id FROM visitors WHERE number = c.visitor OFFSET 0) AS v
WHERE c.identifier = ANY ($1::uuid[]) GROUP BY v.visitor_id;

-- name: note_touches_of_identifiers
-- So it does offline touches; those of a visitor go with the visitor.
INSERT INTO notes (consumer_group, kind, key)
SELECT DISTINCT 'identity', 'touch', jsonb_build_array(scope, event_id)::text
FROM statements WHERE identifiers && $1::uuid[] AND type = 'touch' AND visitor_id IS NULL;
