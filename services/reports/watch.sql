-- What the watcher asks of Postgres: how far everyone is, from outside of those who do the work.

-- name: notes_by_group
-- What each group has still to look at again, how much of it has failed, and for how many seconds the oldest waits.
SELECT consumer_group, count(*) AS notes, count(*) FILTER (WHERE failures > 0) AS failing,
       extract(epoch FROM clock_timestamp() - min(left_at))::double precision AS oldest_seconds
FROM notes GROUP BY consumer_group;

-- name: letters_by_group
-- Records put aside, by the group that could not read or handle them.
SELECT consumer_group, count(*) AS letters FROM dead_letters GROUP BY consumer_group;

-- name: consumers_by_group
-- Who is alive by the database's clock, in whichever log.
SELECT consumer_group, count(DISTINCT member) AS consumers
FROM members WHERE expires_at > clock_timestamp() GROUP BY consumer_group;

-- name: database_bytes
-- What this database takes on the disk, without the server's write-ahead log.
SELECT pg_database_size(current_database());

-- name: balance
-- The next $3 deals behind ($1, $2): the last of them, and which do not balance. A won deal has one current entry with its
-- money, under which every model of $4 gives away the whole amount; a deal that is not won has none.
WITH page AS (
    SELECT provider, deal_id, stage, amount, currency FROM deals
    WHERE (provider, deal_id) > ($1, $2) ORDER BY provider, deal_id LIMIT $3
), judged AS (
    SELECT page.provider, page.deal_id, CASE WHEN page.stage = 'won' THEN
        coalesce((entries.amount, entries.currency) = (page.amount, page.currency), false) AND (
            SELECT count(*) FROM credits
            WHERE (credits.provider, credits.deal_id, credits.version) = (page.provider, page.deal_id, entries.version)
              AND model = ANY ($4::text[]) AND total(amounts) = page.amount
        ) = cardinality($4)
        ELSE entries.version IS NULL END AS balances
    FROM page
    LEFT JOIN entries ON entries.provider = page.provider AND entries.deal_id = page.deal_id AND superseded_at IS NULL
)
SELECT count(*) AS deals, (array_agg(provider ORDER BY provider DESC, deal_id DESC))[1] AS provider,
       (array_agg(deal_id ORDER BY provider DESC, deal_id DESC))[1] AS deal_id,
       coalesce(array_agg(provider || ':' || deal_id) FILTER (WHERE NOT balances), '{}') AS unbalanced
FROM judged;
