-- What is read of one lead. Of identity only published views are named here.

-- name: members
-- The identifiers of the lead that holds $1 now.
SELECT member.lead, member.identifier, member.value, member.first_at, member.shared
FROM lead_of AS asked JOIN lead_of AS member USING (lead)
WHERE asked.identifier = $1
ORDER BY member.value;

-- name: seen
-- When the person first and last did something; null where only others spoke of them.
SELECT min(from_at) AS first_at, max(to_at) AS last_at, min(from_at) FILTER (WHERE is_visit) AS first_visit
FROM (
    SELECT visit.occurred_at AS from_at, visit.last_at AS to_at, true AS is_visit
    FROM visit WHERE visit.owner = ANY ($1::uuid[])
    UNION ALL
    SELECT occurred_at, occurred_at, false FROM offline_touch WHERE owner = ANY ($1::uuid[])
    UNION ALL
    SELECT occurred_at, occurred_at, false FROM said WHERE identifiers && $1::uuid[] AND named = ANY ($1::uuid[])
) AS did;

-- name: first_touch
-- Where the lead came from first.
SELECT channel, source FROM touch WHERE owner = ANY ($1::uuid[]) ORDER BY occurred_at, touch_id, visitor_id LIMIT 1;

-- name: traits
-- What forms and identify calls said of the person, the last word on each name. An empty answer is none.
SELECT DISTINCT ON (trait.name) trait.name, trait.value::text, said.occurred_at AS at
FROM said
CROSS JOIN LATERAL jsonb_each(coalesce(person -> 'fields', '{}') || coalesce(person -> 'traits', '{}')) AS trait (name, value)
WHERE said.identifiers && $1::uuid[] AND said.named = ANY ($1::uuid[]) AND said.type IN ('form', 'identify')
  AND trait.value <> 'null' AND NOT (jsonb_typeof(trait.value) = 'string' AND btrim(trait.value #>> '{}') = '')
ORDER BY trait.name, said.occurred_at DESC, said.event_id DESC, said.rank DESC;

-- name: touches
-- Every touch that a lead owns, in the order of its journey.
SELECT touch_id, visitor_id, occurred_at, last_at, hits, channel, source, medium, campaign, content, term, landing_page,
       referrer
FROM touch
WHERE owner = ANY ($1::uuid[])
ORDER BY occurred_at, touch_id, visitor_id;

-- name: deals
-- The deals that name any identifier of the lead, in the order of time.
SELECT deals.provider, deals.deal_id, deals.stage, deals.amount, deals.currency, deals.created_at, deals.closed_at,
       deals.owner, entries.channel[1] AS first_channel, entries.channel[entries.touches] AS last_channel,
       cardinality(array_remove(entries.touch_id, NULL)) AS touches,
       coalesce(deals.created_at, deals.closed_at, deals.updated_at) AS began_at
FROM deals
LEFT JOIN entries ON entries.provider = deals.provider AND entries.deal_id = deals.deal_id AND superseded_at IS NULL
WHERE deals.stage <> 'deleted' AND deals.contacts && $1::uuid[]
ORDER BY began_at, deals.provider, deals.deal_id;

-- name: timeline
-- The last $6 entries of a lead's history before (at, place, id, within), newest first. `place` orders what happens at one
-- instant, `id` and `within` name it. Hits are sought in as many of the last visits as have $6 of them, and, a visit being
-- 12 hours long at most, in those that began up to 12 hours before.
WITH own AS (
    SELECT * FROM visit
    WHERE owner = ANY ($1::uuid[]) AND (occurred_at, 0, touch_id, visitor_id) < ($2, $3, $4, $5)
), reach AS (
    SELECT min(occurred_at) - interval '12 hours' AS from_at
    FROM (
        SELECT occurred_at, entries, sum(entries) OVER (ORDER BY occurred_at DESC ROWS UNBOUNDED PRECEDING) AS so_far
        FROM (SELECT occurred_at, CASE WHEN last_at < $2 THEN hits + 1 ELSE 1 END AS entries
              FROM own ORDER BY occurred_at DESC LIMIT $6) AS last
    ) AS counted
    WHERE so_far - entries < $6
), shown AS (
    SELECT own.* FROM own JOIN reach ON own.occurred_at >= reach.from_at
), entry AS (
    SELECT occurred_at AS at, 0 AS place, touch_id AS id, visitor_id AS within, jsonb_build_object(
        'kind', 'visit', 'touch_id', touch_id, 'visitor_id', visitor_id, 'last_at', last_at, 'hits', hits,
        'channel', channel, 'source', source, 'medium', medium, 'campaign', campaign, 'content', content, 'term', term,
        'landing_page', landing_page, 'referrer', referrer, 'is_touch', landing_page IS NOT NULL, 'owned_by', owned_by) AS entry
    FROM shown
    UNION ALL
    SELECT hit.occurred_at, 1, hit.event_id, shown.visitor_id, jsonb_build_object(
        'kind', 'hit', 'type', hit.type, 'event_id', hit.event_id, 'visitor_id', shown.visitor_id,
        'touch_id', shown.touch_id, 'url', hit.url, 'title', hit.title, 'name', hit.name)
    FROM shown
    LEFT JOIN LATERAL (
        SELECT v.occurred_at, v.touch_id FROM visit v
        WHERE v.visitor = shown.visitor AND (v.occurred_at, v.touch_id) > (shown.occurred_at, shown.touch_id)
        ORDER BY v.occurred_at, v.touch_id LIMIT 1
    ) AS next ON true
    CROSS JOIN LATERAL (
        SELECT h.occurred_at, h.event_id, h.type, h.url, h.title, h.name FROM hit h
        WHERE h.visitor = shown.visitor
          AND (h.occurred_at, h.event_id) >= (shown.occurred_at, shown.touch_id)
          AND h.occurred_at <= least(shown.last_at, $2)
          AND (next.touch_id IS NULL OR (h.occurred_at, h.event_id) < (next.occurred_at, next.touch_id))
          AND (h.occurred_at, 1, h.event_id, shown.visitor_id) < ($2, $3, $4, $5)
        ORDER BY h.occurred_at DESC, h.event_id DESC LIMIT $6
    ) AS hit
    UNION ALL
    SELECT occurred_at, 0, touch_id, scope::text, jsonb_build_object(
        'kind', 'touch', 'touch_id', touch_id, 'visitor_id', visitor_id, 'name', name, 'channel', channel,
        'source', source, 'medium', medium, 'campaign', campaign, 'owned_by', owned_by)
    FROM offline_touch WHERE owner = ANY ($1::uuid[])
    UNION ALL
    SELECT occurred_at, 2, event_id, scope::text, jsonb_build_object(
        'kind', 'statement', 'type', type, 'event_id', event_id, 'name', name)
    FROM said
    WHERE identifiers && $1::uuid[] AND named = ANY ($1::uuid[]) AND (visitor_id IS NULL OR type = 'email_open')
    UNION ALL
    SELECT first_at, 3, value, '', jsonb_build_object('kind', 'identifier', 'identifier', value)
    FROM lead_of WHERE identifier = ANY ($1::uuid[])
    UNION ALL
    SELECT updated_at, 4, deal_id, provider, jsonb_build_object(
        'kind', 'deal', 'provider', provider, 'deal_id', deal_id, 'stage', stage, 'amount', amount, 'currency', currency)
    FROM (
        SELECT e.*, lag(e.stage) OVER (PARTITION BY provider, deal_id ORDER BY e.updated_at, e.event_id) AS before
        FROM deal_events e JOIN deals d USING (provider, deal_id)
        WHERE d.contacts && $1::uuid[] AND d.stage <> 'deleted' AND NOT EXISTS (
            SELECT FROM deal_events w WHERE w.provider = e.provider AND w.event_id = e.event_id
                AND (w.occurred_at, w.rank) < (e.occurred_at, e.rank))
    ) AS version
    WHERE stage IS DISTINCT FROM before
)
SELECT at, place, id, within, entry::text FROM entry
WHERE (at, place, id COLLATE "C", within COLLATE "C") < ($2, $3, $4, $5)
ORDER BY at DESC, place DESC, id COLLATE "C" DESC, within COLLATE "C" DESC
LIMIT $6;

-- name: joins
-- Which event first carried each two identifiers that connect the lead. Of a deal's contacts the e-mail and the id of one
-- are together; a deal keeps them in one list. Records whose event_id another has taken join as well.
WITH record AS (
    SELECT DISTINCT one AS a, other AS b, type, event_id, occurred_at
    FROM carried, unnest(identifiers) AS one, unnest(identifiers) AS other
    WHERE identifier = ANY ($1::uuid[]) AND one < other
    UNION ALL
    SELECT least(email.identifier, contact.identifier), greatest(email.identifier, contact.identifier), 'deal', event_id,
           updated_at
    FROM deal_events
    JOIN lead_of AS email ON email.identifier = ANY (contacts) AND starts_with(email.value, 'email:')
    JOIN lead_of AS contact ON contact.identifier = ANY (contacts)
        AND starts_with(contact.value, 'crm:' || provider || ':')
    WHERE contacts && $1::uuid[]
), first AS (
    SELECT DISTINCT ON (a, b) * FROM record ORDER BY a, b, occurred_at, event_id, type
)
SELECT least(a.value, b.value) AS one, greatest(a.value, b.value) AS other, first.type, first.event_id, first.occurred_at
FROM joined
JOIN lead_of AS a ON a.identifier = joined.a
JOIN lead_of AS b ON b.identifier = joined.b
JOIN first ON (first.a, first.b) = (joined.a, joined.b)
WHERE joined.a = ANY ($1::uuid[]) AND joined.b = ANY ($1::uuid[]) AND NOT cut AND NOT a.shared AND NOT b.shared
ORDER BY first.occurred_at, one, other
LIMIT $2;

-- name: refusals
-- Pairs with one of the lead's identifiers that events carried, and that connect nobody because one of the two is shared.
SELECT own.value AS own, other.value AS other, CASE WHEN own.shared THEN own.identifier ELSE other.identifier END AS shared
FROM (
    SELECT a AS own, b AS other FROM joined WHERE a = ANY ($1::uuid[]) AND NOT cut
    UNION ALL
    SELECT b, a FROM joined WHERE b = ANY ($1::uuid[]) AND NOT cut
) AS pair
JOIN lead_of AS own ON own.identifier = pair.own
JOIN lead_of AS other ON other.identifier = pair.other
WHERE own.shared OR other.shared
ORDER BY own.value, other.value
LIMIT $2;

-- name: partners
-- With how many identifiers of each kind these were seen, unlinked ones left out.
SELECT known.identifier, known.value, partner.kind, count(*) AS partners
FROM lead_of AS known
JOIN joined ON known.identifier IN (joined.a, joined.b) AND NOT joined.cut
JOIN lead_of AS other ON other.identifier = CASE WHEN joined.a = known.identifier THEN joined.b ELSE joined.a END
CROSS JOIN LATERAL (SELECT CASE split_part(other.value, ':', 1) WHEN 'crm' THEN 'crm:' || split_part(other.value, ':', 2)
                                ELSE split_part(other.value, ':', 1) END AS kind) AS partner
WHERE known.identifier = ANY ($1::uuid[])
GROUP BY known.identifier, known.value, partner.kind
ORDER BY known.value, partners DESC, partner.kind;

-- name: stand_ins
-- What events that name the lead gave beside it that is no identifier, a stand-in for a missing value most often.
SELECT refused.value, said.type, said.event_id, said.occurred_at
FROM said CROSS JOIN LATERAL jsonb_array_elements_text(person -> 'refused') AS refused (value)
WHERE said.identifiers && $1::uuid[] AND said.named = ANY ($1::uuid[])
ORDER BY said.occurred_at, said.event_id, refused.value
LIMIT $2;

-- name: unlinked
-- Pairs with one of the lead's identifiers that an unlink holds apart.
SELECT least(a.value, b.value) AS one, greatest(a.value, b.value) AS other, parted.event_id, parted.occurred_at
FROM parted
JOIN lead_of AS a ON a.identifier = parted.a
JOIN lead_of AS b ON b.identifier = parted.b
WHERE parted.a = ANY ($1::uuid[]) OR parted.b = ANY ($1::uuid[])
ORDER BY one, other
LIMIT $2;

-- name: owned
-- The lead's visits and offline touches, the newest, and by which rule each is the lead's.
SELECT * FROM (
    SELECT occurred_at, visitor_id, channel, source, medium, landing_page AS place, owned_by, true AS is_visit
    FROM visit WHERE owner = ANY ($1::uuid[])
    UNION ALL
    SELECT occurred_at, visitor_id, channel, source, medium, name, owned_by, false
    FROM offline_touch WHERE owner = ANY ($1::uuid[])
) AS newest
ORDER BY occurred_at DESC, visitor_id DESC, place DESC
LIMIT $2;
