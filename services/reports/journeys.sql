-- Journeys of a period: those that the ledger credits for the won deals closed in it, and null journeys, what came in it and
-- won nothing ever. Everywhere $1 and $2 are the period's ends, $3 is the currency of the report, $4 the zone in which a deal's
-- closing has its day of rates. Of identity only published views are named here.

-- name: paths
-- The period's journeys by path, which is the $5 of each touch in order; with $6 what follows its like is left out. Those with
-- most deals first, $7 of them; null gives every path, also those of null journeys alone. The row whose `is_total` is 1 adds up
-- all paths. Won deals of which no touch is known are a row of their own, `is_unknown`, without touches and days: a touch may be
-- called as these are. Money is as it stood at $8, null journeys are those of now.
WITH journey AS (
    SELECT CASE WHEN touch_id[1] IS NULL THEN channel ELSE array_replace(
               CASE $5 WHEN 'channel' THEN channel WHEN 'source' THEN source WHEN 'medium' THEN medium
                   WHEN 'campaign' THEN campaign END, NULL, '(not set)') END AS path,
           1 AS deals, converted(amount, factor) AS amount, CASE WHEN touch_id[1] IS NOT NULL THEN touches END AS touches,
           extract(epoch FROM closed_at - occurred_at[1]) / 86400 AS days, 0 AS nulls, touch_id[1] IS NULL AS is_unknown
    FROM entries CROSS JOIN LATERAL conversion(currency, $3, day_of(closed_at, $4)) AS c (factor)
    WHERE CASE WHEN $8::timestamptz IS NULL THEN superseded_at IS NULL
               ELSE recorded_at <= $8 AND coalesce(superseded_at, 'infinity') > $8 END
      AND closed_at >= coalesce($1::timestamptz, '-infinity') AND closed_at < coalesce($2::timestamptz, 'infinity')
    UNION ALL
    SELECT array_agg(
               coalesce(CASE $5 WHEN 'channel' THEN channel WHEN 'source' THEN source WHEN 'medium' THEN medium
                   WHEN 'campaign' THEN campaign END, '(not set)')
               ORDER BY occurred_at, touch_id, visitor_id, channel, source, medium, campaign),
           0, 0, NULL, NULL, 1, false
    FROM null_touch
    WHERE occurred_at >= coalesce($1::timestamptz, '-infinity') AND occurred_at < coalesce($2::timestamptz, 'infinity')
    GROUP BY lead, unowned
), told AS (
    SELECT deals, amount, touches, days, nulls, is_unknown, CASE WHEN $6 THEN ARRAY(
               SELECT key FROM (SELECT key, place, lag(key) OVER (ORDER BY place) AS before
                                FROM unnest(path) WITH ORDINALITY AS touch (key, place)) AS touch
               WHERE key IS DISTINCT FROM before ORDER BY place) ELSE path END AS path
    FROM journey
)
SELECT path, is_unknown, sum(deals) AS deals, sum(amount) AS amount, sum(nulls) AS nulls, avg(touches) AS touches,
       avg(days) AS days, grouping(path) AS is_total
FROM told
GROUP BY GROUPING SETS ((path, is_unknown), ())
HAVING grouping(path) = 1 OR sum(deals) > 0 OR $7::integer IS NULL
ORDER BY is_total DESC, sum(deals) DESC, sum(amount) DESC, sum(nulls) DESC, path, is_unknown
LIMIT $7::integer + 1;

-- name: lengths
-- How many touches the won journeys of the period have, by bucket: each of $5 begins one.
SELECT width_bucket(touches, $5::integer[]) AS bucket, count(*) AS deals, sum(converted(amount, factor)) AS amount
FROM entries CROSS JOIN LATERAL conversion(currency, $3, day_of(closed_at, $4)) AS c (factor)
WHERE superseded_at IS NULL AND touch_id[1] IS NOT NULL
  AND closed_at >= coalesce($1::timestamptz, '-infinity') AND closed_at < coalesce($2::timestamptz, 'infinity')
GROUP BY bucket;

-- name: days_to_purchase
-- How many days of 24 hours passed from the first touch of each won journey to its deal's close, by the $3 of that touch and by
-- bucket: each of $4 begins one. Rows are for each key and for all (`is_total`), and those for each bucket and for all of them
-- (`is_whole`). Deals of which no touch is known have neither key nor days: a key and a bucket of null. No money is asked for:
-- every currency counts.
WITH won AS (
    SELECT extract(epoch FROM closed_at - occurred_at[1])::double precision / 86400 AS days,
           CASE WHEN touch_id[1] IS NOT NULL THEN coalesce(CASE $3 WHEN 'channel' THEN channel[1] WHEN 'source' THEN source[1]
               WHEN 'medium' THEN medium[1] WHEN 'campaign' THEN campaign[1] END, '(not set)') END AS key
    FROM entries
    WHERE superseded_at IS NULL
      AND closed_at >= coalesce($1::timestamptz, '-infinity') AND closed_at < coalesce($2::timestamptz, 'infinity')
), counted AS (
    SELECT key, days, width_bucket(days, $4::double precision[]) AS bucket FROM won
)
SELECT key, bucket, count(days) AS deals, count(*) - count(days) AS unattributed, avg(days) AS mean,
       percentile_cont(ARRAY[0.5, 0.75, 0.9]) WITHIN GROUP (ORDER BY days) AS percentiles, grouping(key) = 1 AS is_total,
       grouping(bucket) = 1 AS is_whole
FROM counted
GROUP BY CUBE (key, bucket);

-- name: pages
-- In how many of the period's journeys each page was seen, and each download taken, and in how many of these that won; the $5
-- that most won deals saw. Each row also has the number of all journeys; one without any known touch is none. Deals whose money
-- no rate turns into $3 count, without money. OFFSET keeps the inner query a look at one visit, however many its visitor has.
WITH won AS (
    SELECT row_number() OVER () AS journey, converted(amount, factor) AS amount, visitor_id, touch_id, occurred_at
    FROM entries LEFT JOIN LATERAL conversion(currency, $3, day_of(closed_at, $4)) AS c (factor) ON true
    WHERE superseded_at IS NULL AND touch_id[1] IS NOT NULL
      AND closed_at >= coalesce($1::timestamptz, '-infinity') AND closed_at < coalesce($2::timestamptz, 'infinity')
), lost AS (
    SELECT - dense_rank() OVER (ORDER BY lead, unowned) AS journey, visitor_id, touch_id, occurred_at
    FROM null_touch
    WHERE occurred_at >= coalesce($1::timestamptz, '-infinity') AND occurred_at < coalesce($2::timestamptz, 'infinity')
), touch_of AS (
    SELECT journey, amount, t.* FROM won CROSS JOIN LATERAL unnest(visitor_id, touch_id, occurred_at)
        AS t (visitor_id, touch_id, occurred_at)
    UNION ALL
    SELECT journey, NULL, visitor_id, touch_id, occurred_at FROM lost
), stood AS (
    SELECT DISTINCT journey, amount, step.type = 'download' AS is_download,
           coalesce(CASE WHEN step.type = 'download' THEN nullif(btrim(name), '') END,
                    split_part(split_part(url, '#', 1), '?', 1)) AS page
    FROM touch_of CROSS JOIN LATERAL (
        SELECT type, url, name FROM step
        WHERE step.visitor_id = touch_of.visitor_id AND step.started_at = touch_of.occurred_at
            AND step.touch_id = touch_of.touch_id OFFSET 0) AS step
), page AS (
    SELECT page, is_download, count(*) AS journeys, count(*) FILTER (WHERE journey > 0) AS won, sum(amount) AS amount
    FROM stood
    WHERE page <> ''
    GROUP BY page, is_download
    HAVING count(*) FILTER (WHERE journey > 0) > 0
    ORDER BY won DESC, journeys DESC, page, is_download
    LIMIT $5
), whole AS (
    SELECT (SELECT count(*) FROM won) AS all_won,
           (SELECT count(*) FROM won) + (SELECT count(DISTINCT journey) FROM lost) AS all_journeys
)
SELECT whole.*, page.* FROM whole LEFT JOIN page ON true
ORDER BY won DESC, journeys DESC, page, is_download;
