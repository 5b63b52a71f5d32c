-- What the runtime asks of Postgres: the embedded log, who consumes which partition and how far, dead letters, rules. The
-- state's tables have no schema here: which state is meant, the session says.

-- name: log_id
-- The one name of this log.
SELECT log_id FROM log.identity;

-- name: ends
-- The next offset of each partition of a topic.
SELECT next_offset FROM log.heads WHERE topic = $1 ORDER BY partition;

-- name: partitions
-- How many partitions each topic has.
SELECT topic, count(*)::integer AS partitions FROM log.heads GROUP BY topic;

-- name: append
-- One group of records: takes the offsets and writes the batches in one statement. The rows of `heads` stay locked until
-- the commit, in the order of partitions: so commit order is offset order, and two writers never wait for each other in
-- a circle.
WITH batch AS (
    SELECT * FROM unnest($2::integer[], $3::integer[], $4::bytea[]) AS b(partition, count, records)
), locked AS (
    SELECT h.partition, b.count, b.records
    FROM log.heads h JOIN batch b USING (partition)
    WHERE h.topic = $1
    ORDER BY h.partition
    FOR UPDATE OF h
), moved AS (
    UPDATE log.heads h SET next_offset = h.next_offset + l.count
    FROM locked l
    WHERE h.topic = $1 AND h.partition = l.partition
    RETURNING h.partition, h.next_offset - l.count AS first_offset, l.count, l.records
)
INSERT INTO log.batches (topic, partition, first_offset, count, records)
SELECT $1, partition, first_offset, count, records FROM moved;

-- name: read
-- The batch that holds offset $3 and those after it, until they are $4 bytes; at most 1,000, so that the sum is bounded.
SELECT first_offset, records
FROM (
    SELECT first_offset, records, sum(octet_length(records)) OVER (ORDER BY first_offset) - octet_length(records) AS before
    FROM (
        SELECT first_offset, records
        FROM log.batches
        WHERE topic = $1 AND partition = $2 AND first_offset >= coalesce((
            SELECT first_offset FROM log.batches
            WHERE topic = $1 AND partition = $2 AND first_offset <= $3
            ORDER BY first_offset DESC LIMIT 1
        ), 0)
        ORDER BY first_offset
        LIMIT 1000
    ) AS next
) AS summed
WHERE before < $4
ORDER BY first_offset;

-- name: make_positions
-- A group begins at offset 0 of every partition.
INSERT INTO positions (log_id, consumer_group, topic, partition)
SELECT $1, $2, topic, partition FROM unnest($3::text[], $4::integer[]) AS p(topic, partition)
ORDER BY topic, partition
ON CONFLICT DO NOTHING;

-- name: bury_members
-- Who has not been heard of in time is dead, and so is who has no session left: after a crash nobody waits for the lease.
DELETE FROM members m
WHERE m.log_id = $1 AND m.consumer_group = $2 AND m.member <> $3 AND (
    m.expires_at < clock_timestamp()
    OR NOT EXISTS (SELECT FROM pg_stat_activity a WHERE a.application_name = m.member)
);

-- name: renew_member
-- A member lives until the lease ends by the database's clock, if it does not renew it.
INSERT INTO members (log_id, consumer_group, member, expires_at)
VALUES ($1, $2, $3, clock_timestamp() + $4::interval)
ON CONFLICT (log_id, consumer_group, member) DO UPDATE SET expires_at = excluded.expires_at;

-- name: members
-- All living members of a group that read this log, in an order that all of them see.
SELECT member FROM members WHERE log_id = $1 AND consumer_group = $2 ORDER BY member;

-- name: claim_positions
-- Takes those of the wanted partitions that nobody alive holds.
UPDATE positions p SET owner = $3
FROM unnest($4::text[], $5::integer[]) AS wanted(topic, partition)
WHERE p.log_id = $1 AND p.consumer_group = $2 AND p.topic = wanted.topic AND p.partition = wanted.partition
  AND p.owner IS DISTINCT FROM $3
  AND NOT EXISTS (
      SELECT FROM members m WHERE m.log_id = $1 AND m.consumer_group = $2 AND m.member = p.owner
  );

-- name: held_positions
-- The partitions that a member holds, and how far the group has read them.
SELECT topic, partition, next_offset
FROM positions
WHERE log_id = $1 AND consumer_group = $2 AND owner = $3
ORDER BY topic, partition;

-- name: last_records
-- Of these partitions: where the last record stands that the group handled, and its checksum.
SELECT topic, partition, next_offset - 1 AS log_offset, last_checksum
FROM positions JOIN unnest($3::text[], $4::integer[]) AS held(topic, partition) USING (topic, partition)
WHERE log_id = $1 AND consumer_group = $2 AND last_checksum IS NOT NULL;

-- name: records_read
-- How many records of a log a group has read in all.
SELECT coalesce(sum(next_offset), 0)::bigint FROM positions WHERE log_id = $1 AND consumer_group = $2;

-- name: release_positions
-- Lets go of partitions, for another member to take.
UPDATE positions p SET owner = NULL
FROM unnest($4::text[], $5::integer[]) AS given(topic, partition)
WHERE p.log_id = $1 AND p.consumer_group = $2 AND p.topic = given.topic AND p.partition = given.partition AND p.owner = $3;

-- name: remove_member
-- A member that ends lets go of all, so that the next one starts at once.
WITH freed AS (
    UPDATE positions SET owner = NULL WHERE log_id = $1 AND consumer_group = $2 AND owner = $3
)
DELETE FROM members WHERE log_id = $1 AND consumer_group = $2 AND member = $3;

-- name: move_positions
-- The fence: each position moves from the value that the batch began at, or not at all. Locked in order.
WITH locked AS (
    SELECT p.topic, p.partition, b.next_offset, b.last_checksum
    FROM positions p
    JOIN unnest($3::text[], $4::integer[], $5::bigint[], $6::bigint[], $7::bigint[])
            AS b(topic, partition, expected, next_offset, last_checksum)
        ON p.topic = b.topic AND p.partition = b.partition AND p.next_offset = b.expected
    WHERE p.log_id = $1 AND p.consumer_group = $2
    ORDER BY p.topic, p.partition
    FOR UPDATE OF p
)
UPDATE positions p SET next_offset = l.next_offset, last_checksum = l.last_checksum
FROM locked l
WHERE p.log_id = $1 AND p.consumer_group = $2 AND p.topic = l.topic AND p.partition = l.partition;

-- name: put_aside
-- Records that could not be read or handled, with their bytes and place; once each.
INSERT INTO dead_letters (consumer_group, log_id, topic, partition, log_offset, reason, detail, value)
SELECT $1, $2, topic, partition, log_offset, reason, detail, value
FROM unnest($3::text[], $4::integer[], $5::bigint[], $6::text[], $7::text[], $8::bytea[])
    AS d(topic, partition, log_offset, reason, detail, value)
ON CONFLICT DO NOTHING;

-- name: stored_rules
-- The rules in force, as JSON text, and since when; no row before the first start.
SELECT rules::text, since FROM rules;

-- name: in_force_since
-- Since when the present state has had its rules: no other state has the same instant.
SELECT since FROM rules;

-- name: store_first_lists
-- Rules of a program that kept no word of its lists get that of the first one that does.
UPDATE rules SET rules = rules || jsonb_build_object('lists', $1::text) WHERE NOT rules ? 'lists';

-- name: store_first_rules
-- The rules of the first start; those that are there stay.
INSERT INTO rules (rules) VALUES ($1::text::jsonb) ON CONFLICT DO NOTHING;

-- name: make_topics
-- The partitions of the topics; those that are there keep their offsets.
INSERT INTO log.heads (topic, partition)
SELECT t.topic, p.partition
FROM unnest($1::text[], $2::integer[]) AS t(topic, partitions), generate_series(0, t.partitions - 1) AS p(partition)
ORDER BY t.topic, p.partition
ON CONFLICT DO NOTHING;

-- name: server
-- What server this is.
SELECT current_setting('server_version_num')::integer AS version, current_setting('server_encoding') AS encoding;

-- name: make_journal
-- Which migrations were applied; in a schema of its own, because migrations make and replace the others.
CREATE SCHEMA IF NOT EXISTS migration;
CREATE TABLE IF NOT EXISTS migration.journal (
    number integer PRIMARY KEY,
    name text NOT NULL,
    checksum text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- name: journal
-- The migrations applied so far.
SELECT number, name, checksum FROM migration.journal ORDER BY number;

-- name: note_migration
-- In the transaction of the migration itself.
INSERT INTO migration.journal (number, name, checksum) VALUES ($1, $2, $3);

-- name: stand_aside
-- The schemas that migrations make, under other names until the end of the transaction.
ALTER SCHEMA state RENAME TO state_aside;
ALTER SCHEMA log RENAME TO log_aside;

-- name: come_back
-- And back again.
ALTER SCHEMA state_aside RENAME TO state;
ALTER SCHEMA log_aside RENAME TO log;

-- name: claim_notes
-- The oldest notes of these kinds that are due, for this transaction alone; in their order.
WITH claimed AS (
    DELETE FROM notes WHERE id IN (
        SELECT id FROM notes
        WHERE consumer_group = $1 AND kind = ANY ($2::text[]) AND due_at <= clock_timestamp()
        ORDER BY id LIMIT $3 FOR UPDATE SKIP LOCKED
    ) RETURNING id, kind, key, from_at, to_at
)
SELECT * FROM claimed ORDER BY id;

-- name: put_off_note
-- A note that fails alone waits: two seconds, four, and so on up to ten minutes.
UPDATE notes SET failures = failures + 1, due_at = clock_timestamp() + pause.pause
FROM (
    SELECT id, least(interval '1 second' * 2 ^ least(failures + 1, 20), interval '10 minutes') AS pause
    FROM notes WHERE id = $1
) AS pause
WHERE notes.id = pause.id
RETURNING kind, failures, pause.pause;

-- name: failing_notes
-- How many notes of a group have failed alone.
SELECT count(*) FROM notes WHERE consumer_group = $1 AND failures > 0;

-- name: hasten_failing_notes
-- Notes that have failed alone are due at once; how often they did stays.
UPDATE notes SET due_at = '-infinity' WHERE consumer_group = $1 AND failures > 0;

-- name: letters_at_the_end
-- How many letters stand right behind where the group goes on, partition by partition and without a gap, at most $3 of
-- each. Those that were tried again since do not count: somebody has seen to them.
SELECT count(*)
FROM positions p CROSS JOIN LATERAL (
    SELECT log_offset, row_number() OVER (ORDER BY log_offset DESC) AS back
    FROM (
        SELECT d.log_offset FROM dead_letters d
        WHERE d.consumer_group = p.consumer_group AND d.log_id = p.log_id AND d.topic = p.topic
          AND d.partition = p.partition AND d.log_offset < p.next_offset AND d.tries = 1
        ORDER BY d.log_offset DESC LIMIT $3
    ) AS newest
) AS letter
WHERE p.log_id = $1 AND p.consumer_group = $2 AND letter.log_offset = p.next_offset - letter.back;

-- name: newest_letters
-- Dead letters without their bytes, the newest first; of a group or for a reason, where one is given.
SELECT id, consumer_group, log_id, topic, partition, log_offset, reason, detail, tries, found_at,
       octet_length(value) AS bytes
FROM dead_letters
WHERE ($1::text IS NULL OR consumer_group = $1) AND ($2::text IS NULL OR reason = $2)
ORDER BY id DESC LIMIT $3;

-- name: one_letter
-- One dead letter, whole.
SELECT id, consumer_group, log_id, topic, partition, log_offset, reason, detail, tries, found_at, value
FROM dead_letters WHERE id = $1;

-- name: letters_to_retry
-- The letters of these groups, all or those that are named, for one reason or any; the oldest first.
SELECT id, consumer_group FROM dead_letters
WHERE consumer_group = ANY ($1::text[]) AND ($2::bigint[] IS NULL OR id = ANY ($2)) AND ($3::text IS NULL OR reason = $3)
ORDER BY id;

-- name: letters_by_id
-- These letters, as far as they are still there, with their bytes.
SELECT id, topic, partition, log_offset, value FROM dead_letters WHERE id = ANY ($1::bigint[]) ORDER BY id;

-- name: remove_letters
-- Letters whose record has had its effects, in the transaction of these.
DELETE FROM dead_letters WHERE id = ANY ($1::bigint[]) RETURNING id;

-- name: tried_again
-- A letter that stays, with what is wrong with it now.
UPDATE dead_letters SET tries = tries + 1, reason = $2, detail = $3 WHERE id = $1;
