-- The present state, one query a part, its rows in the order of their natural keys. An auditor looks behind the views:
-- visits without a page are state as well. No keyed id, no time of arrival and no history of the ledger is read out:
-- people stand as their identifiers, a lead as the hash of its sorted ones.

-- name: leads
-- Each lead as its sorted identifiers, when each was first seen, and the one that names the lead.
SELECT array_agg(member.value ORDER BY member.value) AS identifiers,
       array_agg(member.first_at ORDER BY member.value) AS first_at,
       max(member.value) FILTER (WHERE member.id = member.lead) AS named_by
FROM identifiers AS member
GROUP BY member.lead
ORDER BY identifiers;

-- name: visits
-- Every visit, and whose it is.
WITH face AS MATERIALIZED (
    SELECT lead, encode(sha256(convert_to(jsonb_agg(value ORDER BY value)::text, 'UTF8')), 'hex') AS owner
    FROM identifiers
    GROUP BY lead
)
SELECT visitor_id, occurred_at, touch_id, last_at, hits, channel, source, medium, campaign, content, term, landing_page,
       referrer, click_ids::text, face.owner
FROM visit
LEFT JOIN identifiers ON identifiers.id = visit.owner
LEFT JOIN face USING (lead)
ORDER BY visitor_id, occurred_at, touch_id;

-- name: offline_touches
-- Every touch that no visit is, and whose it is.
WITH face AS MATERIALIZED (
    SELECT lead, encode(sha256(convert_to(jsonb_agg(value ORDER BY value)::text, 'UTF8')), 'hex') AS owner
    FROM identifiers
    GROUP BY lead
)
SELECT occurred_at, touch_id, coalesce(visitor_id, '') AS visitor_id, name, channel, source, medium, campaign, face.owner
FROM offline_touches
LEFT JOIN identifiers ON identifiers.id = offline_touches.owner
LEFT JOIN face USING (lead)
ORDER BY occurred_at, touch_id, visitor_id, name, channel, source, medium, campaign, face.owner COLLATE "C";

-- name: deals
-- Every deal as its newest version has it, with its contacts as identifiers.
SELECT provider, deal_id, stage, amount, currency, created_at, closed_at, owner, updated_at,
       ARRAY(SELECT value FROM identifiers WHERE id = ANY (deals.contacts) ORDER BY value) AS contacts,
       cardinality(contacts) AS contacts_named
FROM deals
WHERE stage IS NOT NULL
ORDER BY provider, deal_id;

-- name: spend
-- What each source cost on each day.
SELECT day, channel, source, medium, campaign, amount, currency FROM spend ORDER BY day, source, medium, campaign;

-- name: rates
-- What each currency was worth in others from each day on, in minor units.
SELECT currency, to_currency, day, trim_scale(factor)::text FROM rate ORDER BY currency, to_currency, day;

-- name: credits
-- The ledger's current entries: each won deal's journey, and what each model gives to each touch of it.
SELECT provider, deal_id, model, entries.amount, currency, created_at, closed_at, owner, visitor_id, touch_id,
       occurred_at, channel, source, medium, campaign, content, term, landing_page, referrer, amounts, shares::text[]
FROM entries
JOIN credits USING (provider, deal_id, version)
WHERE superseded_at IS NULL
ORDER BY provider, deal_id, model;
