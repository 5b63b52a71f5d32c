-- The queries of the attributor's store. Of identity it knows the views lead_of, touch and registration, and no table.
-- Sets go in as arrays, one element a row: ids as they are, all else as text, see `arrays`.

-- name: add_deal_events
-- Every record of a deal's version is kept: which of several with one event_id counts, readers decide.
INSERT INTO deal_events (provider, event_id, occurred_at, rank, deal_id, stage, amount, currency, created_at, closed_at,
                         owner, contacts, updated_at)
SELECT provider, event_id, occurred_at, rank, deal_id, stage, amount, currency, created_at, closed_at, owner,
       coalesce(string_to_array(nullif(contacts, ''), ',')::uuid[], '{}'), updated_at
FROM unnest($1::text::text[], $2::text::text[], $3::text::timestamptz[], $4::uuid[], $5::text::text[], $6::text::text[],
            $7::text::bigint[], $8::text::text[], $9::text::timestamptz[], $10::text::timestamptz[], $11::text::text[],
            $12::text::text[], $13::text::timestamptz[])
     AS version (provider, event_id, occurred_at, rank, deal_id, stage, amount, currency, created_at, closed_at, owner,
                 contacts, updated_at)
ON CONFLICT DO NOTHING;

-- name: concerned_deals
-- The deals of all records of these event ids, whether they count or not.
SELECT DISTINCT provider, deal_id
FROM deal_events JOIN unnest($1::text::text[], $2::text::text[]) AS batch (provider, event_id) USING (provider, event_id);

-- name: add_deals
-- Rows to lock, for deals that are read for the first time.
INSERT INTO deals (provider, deal_id)
SELECT provider, deal_id FROM unnest($1::text::text[], $2::text::text[]) AS d (provider, deal_id) ORDER BY provider, deal_id
ON CONFLICT DO NOTHING;

-- name: lock_deals
-- Nobody else credits these deals until the transaction ends. In order, so that two never wait in a circle.
SELECT d.provider, d.deal_id
FROM deals d JOIN unnest($1::text::text[], $2::text::text[]) AS batch (provider, deal_id) USING (provider, deal_id)
ORDER BY d.provider, d.deal_id FOR UPDATE OF d;

-- name: put_newest_versions
-- Each deal as its newest version that counts has it. One whose only record yielded its event id to another deal's was
-- never there; its row stays, without a state, because others may be waiting to lock it.
WITH newest AS (
    SELECT DISTINCT ON (e.provider, e.deal_id) e.*
    FROM deal_events e JOIN unnest($1::text::text[], $2::text::text[]) AS batch (provider, deal_id) USING (provider, deal_id)
    WHERE NOT EXISTS (
        SELECT FROM deal_events w WHERE w.provider = e.provider AND w.event_id = e.event_id
            AND (w.occurred_at, w.rank) < (e.occurred_at, e.rank))
    ORDER BY e.provider, e.deal_id, e.updated_at DESC, e.event_id DESC
)
UPDATE deals d SET stage = n.stage, amount = n.amount, currency = n.currency, created_at = n.created_at,
    closed_at = n.closed_at, owner = n.owner, contacts = coalesce(n.contacts, '{}'), updated_at = n.updated_at
FROM unnest($1::text::text[], $2::text::text[]) AS batch (provider, deal_id) LEFT JOIN newest n USING (provider, deal_id)
WHERE d.provider = batch.provider AND d.deal_id = batch.deal_id;

-- name: deals_by_id
-- The deals as they stand; without those that have no version that counts, or none that was read.
SELECT d.provider, d.deal_id, d.stage, d.amount, d.currency, d.created_at, d.closed_at, d.owner
FROM deals d JOIN unnest($1::text::text[], $2::text::text[]) AS batch (provider, deal_id) USING (provider, deal_id)
WHERE d.stage IS NOT NULL;

-- name: journeys
-- The touches of all leads of the contacts, within each deal's window and in the journey's order. Each touch has one owner, so
-- that it is there once. The last columns are for offline touches without a visitor, which may share all before. OFFSET keeps
-- the inner query as it stands, a look at each owner's touches: the view is a union, of which a join would read all.
WITH owner AS (
    SELECT DISTINCT won.provider, won.deal_id, won.from_at, won.to_at, member.identifier
    FROM unnest($1::text::text[], $2::text::text[], $3::text::timestamptz[], $4::text::timestamptz[])
        AS won (provider, deal_id, from_at, to_at)
    JOIN deals d USING (provider, deal_id)
    JOIN lead_of contact ON contact.identifier = ANY (d.contacts)
    JOIN lead_of member ON member.lead = contact.lead
)
SELECT owner.provider, owner.deal_id, t.occurred_at, t.touch_id, t.visitor_id,
       t.channel, t.source, t.medium, t.campaign, t.content, t.term, t.landing_page, t.referrer
FROM owner CROSS JOIN LATERAL (
    SELECT * FROM touch
    WHERE touch.owner = owner.identifier AND touch.occurred_at BETWEEN owner.from_at AND owner.to_at OFFSET 0) t
ORDER BY owner.provider, owner.deal_id, t.occurred_at, t.touch_id, t.visitor_id,
         t.channel, t.source, t.medium, t.campaign;

-- name: lead_creations
-- When any lead of a deal's contacts first filled out a form or was identified, by any of its identifiers. A shared
-- one names nobody.
SELECT won.provider, won.deal_id, min(r.first_at) AS created_at
FROM unnest($1::text::text[], $2::text::text[]) AS won (provider, deal_id)
JOIN deals d USING (provider, deal_id)
JOIN lead_of contact ON contact.identifier = ANY (d.contacts) AND NOT contact.shared
JOIN lead_of member ON member.lead = contact.lead
CROSS JOIN LATERAL (SELECT first_at FROM registration WHERE registration.identifier = member.identifier OFFSET 0) AS r
GROUP BY won.provider, won.deal_id;

-- name: current_entries
-- What the ledger holds of these deals now.
SELECT e.* FROM entries e JOIN unnest($1::text::text[], $2::text::text[]) AS batch (provider, deal_id) USING (provider, deal_id)
WHERE e.superseded_at IS NULL;

-- name: current_credits
-- The credits by model of what the ledger holds of these deals now.
SELECT c.provider, c.deal_id, c.model, c.amounts
FROM credits c JOIN entries e USING (provider, deal_id, version)
JOIN unnest($1::text::text[], $2::text::text[]) AS batch (provider, deal_id) USING (provider, deal_id)
WHERE e.superseded_at IS NULL;

-- name: last_versions
-- The number of each deal's newest entry, current or not, and when the deal's part of the ledger changed last.
SELECT e.provider, e.deal_id, max(e.version) AS version, max(greatest(e.recorded_at, e.superseded_at)) AS changed_at
FROM entries e JOIN unnest($1::text::text[], $2::text::text[]) AS batch (provider, deal_id) USING (provider, deal_id)
GROUP BY e.provider, e.deal_id;

-- name: ledger_time
-- The time of a correction: what it closes ends when what it adds begins, so that a deal is never without its money. A clock
-- that was set back does not count: a deal's corrections follow each other.
SELECT clock_timestamp();

-- name: close_entries
-- What no longer holds stays in the ledger, with the time and the cause of its end.
UPDATE entries e SET superseded_at = $1, superseded_cause = closed.cause
FROM unnest($2::text::text[], $3::text::text[], $4::text::text[]) AS closed (provider, deal_id, cause)
WHERE e.provider = closed.provider AND e.deal_id = closed.deal_id AND e.superseded_at IS NULL;

-- name: note_deals_of_older_programs
-- Deals whose entry a program has made that knew fewer models are credited again.
INSERT INTO notes (consumer_group, kind, key)
SELECT 'attributor', 'deal', older.key
FROM (
    SELECT jsonb_build_array(provider, deal_id, $2::text)::text AS key FROM entries
    WHERE superseded_at IS NULL AND lead_touch IS NULL) AS older
WHERE NOT EXISTS (SELECT FROM notes n WHERE n.consumer_group = 'attributor' AND n.kind = 'deal' AND n.key = older.key)
LIMIT $1;

-- name: note_deals
-- Of notes about leads and touches make notes about the deals they concern: those with a won version that names somebody
-- of the lead, and whose window meets the note's time. Versions are asked, not deals: they are committed before their
-- deal is credited, so none slips through. OFFSET keeps that a look-up by contact, whatever the planner believes of deals.
INSERT INTO notes (consumer_group, kind, key)
SELECT 'attributor', 'deal', jsonb_build_array(
    d.provider, d.deal_id, CASE WHEN bool_or(note.kind = 'lead') THEN $6::text ELSE $7::text END)::text
FROM unnest($1::text::text[], $2::text::uuid[], $3::text::timestamptz[], $4::text::timestamptz[])
    AS note (kind, key, from_at, to_at)
JOIN lead_of named ON named.identifier = note.key
JOIN lead_of member ON member.lead = named.lead
CROSS JOIN LATERAL (
    SELECT provider, deal_id, created_at, closed_at FROM deal_events
    WHERE stage = 'won' AND contacts @> ARRAY[member.identifier] OFFSET 0) AS d
WHERE note.from_at <= d.closed_at
  AND note.to_at >= least(d.created_at, d.closed_at) - $5::interval
GROUP BY d.provider, d.deal_id;
