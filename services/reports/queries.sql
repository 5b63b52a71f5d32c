-- Of identity's tables only the views `lead_of` and `touch` are named here.

-- name: reported_currency
-- The currency of most deals of the period, as it stood at `as_of`; of as many, or without any, that of most spend.
SELECT currency
FROM (
    SELECT currency, 1 AS deals, 0 AS spends
    FROM entries
    WHERE closed_at >= coalesce($1::timestamptz, '-infinity')
      AND closed_at < coalesce($2::timestamptz, 'infinity')
      AND CASE WHEN $3::timestamptz IS NULL THEN superseded_at IS NULL
               ELSE recorded_at <= $3 AND coalesce(superseded_at, 'infinity') > $3 END
    UNION ALL
    SELECT currency, 0, 1
    FROM spend
    WHERE day >= coalesce($4::date, '-infinity') AND day < coalesce($5::date, 'infinity')
) AS money
GROUP BY currency
ORDER BY sum(deals) DESC, sum(spends) DESC, currency
LIMIT 1;

-- name: missing_rates
-- By currency the period's money that no rate turns into the reported one, and the first day of such money; spend if $8.
SELECT currency, sum(deals) AS deals, sum(amount) AS amount, sum(spend) AS spend, min(day) AS day
FROM (
    SELECT currency, 1 AS deals, amount, 0 AS spend, day_of(closed_at, $5) AS day
    FROM entries
    WHERE closed_at >= coalesce($1::timestamptz, '-infinity')
      AND closed_at < coalesce($2::timestamptz, 'infinity')
      AND CASE WHEN $3::timestamptz IS NULL THEN superseded_at IS NULL
               ELSE recorded_at <= $3 AND coalesce(superseded_at, 'infinity') > $3 END
      AND currency <> $4
    UNION ALL
    SELECT currency, 0, 0, amount, day
    FROM spend
    WHERE $8::boolean AND day >= coalesce($6::date, '-infinity') AND day < coalesce($7::date, 'infinity')
      AND currency <> $4
) AS money
WHERE NOT EXISTS (SELECT FROM conversion(money.currency, $4, money.day))
GROUP BY currency
ORDER BY sum(deals) DESC, currency;

-- name: revenue_by_touch
-- Money of the deals closed in the period, touches that happened in it and, if $8, its spend, added up by one dimension of the
-- touch. The row whose `is_total` is 1 adds up everything: a lead that came by two channels counts in it once.
WITH piece AS (
    SELECT t.touch_id IS NULL AS is_unknown, t.channel, t.source, t.medium, t.campaign, t.content, t.term, t.landing_page,
           t.referrer, t.amount, t.share, NULL::uuid AS lead, 0 AS visits, NULL::numeric AS spend
    FROM entries
    JOIN credits USING (provider, deal_id, version)
    CROSS JOIN LATERAL conversion(entries.currency, $4, day_of(entries.closed_at, $5)) AS c
    CROSS JOIN LATERAL unnest(
        entries.touch_id, entries.channel, entries.source, entries.medium, entries.campaign, entries.content,
        entries.term, entries.landing_page, entries.referrer, converted(credits.amounts, c.factor), credits.shares
    ) AS t (touch_id, channel, source, medium, campaign, content, term, landing_page, referrer, amount, share)
    WHERE credits.model = $9
      AND entries.closed_at >= coalesce($1::timestamptz, '-infinity')
      AND entries.closed_at < coalesce($2::timestamptz, 'infinity')
      AND CASE WHEN $3::timestamptz IS NULL THEN entries.superseded_at IS NULL
               ELSE entries.recorded_at <= $3 AND coalesce(entries.superseded_at, 'infinity') > $3 END
    UNION ALL
    SELECT false, channel, source, medium, campaign, content, term, landing_page, referrer, 0, 0, lead_of.lead, 1, NULL
    FROM touch
    LEFT JOIN lead_of ON lead_of.identifier = touch.owner
    WHERE occurred_at >= coalesce($1::timestamptz, '-infinity')
      AND occurred_at < coalesce($2::timestamptz, 'infinity')
    UNION ALL
    SELECT false, channel, source, medium, campaign, NULL, NULL, NULL, NULL, 0, 0, NULL, 0, converted(amount, c.factor)
    FROM spend CROSS JOIN LATERAL conversion(spend.currency, $4, spend.day) AS c
    WHERE $8::boolean AND day >= coalesce($6::date, '-infinity') AND day < coalesce($7::date, 'infinity')
), keyed AS (
    SELECT amount, share, lead, visits, spend, CASE WHEN is_unknown THEN channel  -- no touch is known: one row for all of them
               ELSE key_of($10, channel, source, medium, campaign, content, term, landing_page, referrer) END AS key
    FROM piece
)
SELECT key, sum(amount) AS amount, sum(share) AS deals, count(DISTINCT lead) AS leads, sum(visits) AS visits,
       sum(spend) AS spend, grouping(key) AS is_total
FROM keyed
GROUP BY GROUPING SETS ((key), ());

-- name: revenue_by_owner
-- The same by the deal's owner: whole deals, the leads of their contacts, and the touches of their journeys. Spend is nobody's.
WITH won AS (
    SELECT coalesce(entries.owner, '(not set)') AS key, converted(entries.amount, c.factor) AS amount, deals.contacts,
           entries.visitor_id, entries.touch_id
    FROM entries
    JOIN deals USING (provider, deal_id)
    CROSS JOIN LATERAL conversion(entries.currency, $4, day_of(entries.closed_at, $5)) AS c
    WHERE entries.closed_at >= coalesce($1::timestamptz, '-infinity')
      AND entries.closed_at < coalesce($2::timestamptz, 'infinity')
      AND CASE WHEN $3::timestamptz IS NULL THEN entries.superseded_at IS NULL
               ELSE entries.recorded_at <= $3 AND coalesce(entries.superseded_at, 'infinity') > $3 END
), piece AS (
    SELECT key, amount, 1 AS deals, NULL::uuid AS lead, NULL::text AS visitor_id, NULL::text AS touch_id FROM won
    UNION ALL
    SELECT key, 0, 0, lead_of.lead, NULL, NULL
    FROM won CROSS JOIN LATERAL unnest(contacts) AS contact JOIN lead_of ON lead_of.identifier = contact
    UNION ALL
    SELECT key, 0, 0, NULL, t.visitor_id, t.touch_id
    FROM won CROSS JOIN LATERAL unnest(visitor_id, touch_id) AS t (visitor_id, touch_id)
)
SELECT key, sum(amount) AS amount, sum(deals) AS deals, count(DISTINCT lead) AS leads,
       count(DISTINCT (visitor_id, touch_id)) FILTER (WHERE touch_id IS NOT NULL) AS visits, NULL::numeric AS spend,
       grouping(key) AS is_total
FROM piece
GROUP BY GROUPING SETS ((key), ());

-- name: deals
-- Deals that closed in the period, newest first, open ones last; with the ends of the journey that was credited.
SELECT deals.provider, deals.deal_id, deals.stage, deals.amount, deals.currency, deals.created_at, deals.closed_at,
       deals.owner, entries.channel[1] AS first_channel, entries.channel[entries.touches] AS last_channel,
       cardinality(array_remove(entries.touch_id, NULL)) AS touches
FROM deals
LEFT JOIN entries ON entries.provider = deals.provider AND entries.deal_id = deals.deal_id AND superseded_at IS NULL
WHERE deals.stage <> 'deleted'
  AND ($1::timestamptz IS NULL OR deals.closed_at >= $1)
  AND ($2::timestamptz IS NULL OR deals.closed_at < $2)
  AND ($3::text IS NULL OR deals.stage = $3)
ORDER BY deals.stage = 'open', deals.closed_at DESC NULLS LAST, deals.provider, deals.deal_id
LIMIT $4;

-- name: newest_won
-- The deals won last in the period, with their journeys and what one model gives to each touch.
SELECT provider, deal_id, entries.amount, currency, closed_at, owner, touch_id, occurred_at, channel, source, medium,
       campaign, credits.amounts
FROM entries
JOIN credits USING (provider, deal_id, version)
WHERE superseded_at IS NULL AND credits.model = $3
  AND closed_at >= coalesce($1::timestamptz, '-infinity')
  AND closed_at < coalesce($2::timestamptz, 'infinity')
ORDER BY closed_at DESC, provider, deal_id
LIMIT $4;

-- name: deals_at
-- The deals that an address can mean; `whole` are those whose provider it names as well.
SELECT provider, deal_id, (provider, deal_id) IN (SELECT * FROM unnest($2::text[], $3::text[])) AS whole
FROM deals
WHERE stage IS NOT NULL
  AND (deal_id = $1 OR (provider, deal_id) IN (SELECT * FROM unnest($2::text[], $3::text[])))
ORDER BY provider, deal_id;

-- name: deal
-- One deal as its newest version has it, its contacts as they were written, and the models that its credits have.
SELECT deals.provider, deals.deal_id, deals.stage, deals.amount, deals.currency, deals.created_at, deals.closed_at,
       deals.owner, deals.updated_at, entries.channel[1] AS first_channel,
       entries.channel[entries.touches] AS last_channel, cardinality(array_remove(entries.touch_id, NULL)) AS touches,
       ARRAY(SELECT value FROM lead_of WHERE identifier = ANY (deals.contacts) ORDER BY value) AS contacts,
       ARRAY(SELECT DISTINCT lead FROM lead_of WHERE identifier = ANY (deals.contacts) ORDER BY lead) AS leads,
       ARRAY(SELECT model FROM credits
             WHERE (credits.provider, credits.deal_id, credits.version)
                   = (entries.provider, entries.deal_id, entries.version)
             ORDER BY model) AS models
FROM deals
LEFT JOIN entries ON entries.provider = deals.provider AND entries.deal_id = deals.deal_id AND superseded_at IS NULL
WHERE deals.provider = $1 AND deals.deal_id = $2;

-- name: credits_of_deal
-- The journey that a deal was credited to under one model, as it stood at `as_of`; no row when it was not won then.
SELECT entries.amount, entries.currency, touch_id, visitor_id, occurred_at, channel, source, medium, campaign, content,
       term, landing_page, referrer, credits.amounts, credits.shares
FROM entries
JOIN credits USING (provider, deal_id, version)
WHERE provider = $1 AND deal_id = $2 AND credits.model = $3
  AND CASE WHEN $4::timestamptz IS NULL THEN superseded_at IS NULL
           ELSE recorded_at <= $4 AND coalesce(superseded_at, 'infinity') > $4 END;

-- name: positions
-- How far each group has read these logs; a partition that nobody has begun has no row.
SELECT log_id, consumer_group, topic, partition, next_offset FROM positions WHERE log_id = ANY($1::uuid[]);

-- name: notes_left
-- Work that each group still has to do, beyond what it has to read.
SELECT consumer_group, count(*) AS notes FROM notes GROUP BY consumer_group;

-- name: dead_letters_kept
-- Records that could not be read or handled.
SELECT count(*) FROM dead_letters;

-- name: kept_apart
-- How many events of the period were kept apart from people's, and of how many visitors, by reason.
SELECT kept_apart AS reason, count(*) AS events, count(DISTINCT visitor_id) AS visitors
FROM apart
WHERE occurred_at >= coalesce($1::timestamptz, '-infinity') AND occurred_at < coalesce($2::timestamptz, 'infinity')
GROUP BY kept_apart
ORDER BY events DESC, reason;

-- name: has_seen_anything
-- Whether anything has been seen at all, so that a newcomer is shown the next step instead of zeros.
SELECT EXISTS (SELECT FROM touch) OR EXISTS (SELECT FROM lead_of) OR EXISTS (SELECT FROM deals);
