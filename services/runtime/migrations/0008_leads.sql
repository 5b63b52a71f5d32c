-- What identity publishes of one lead: its visits, hits and statements, and what joined and parted identifiers.

CREATE OR REPLACE VIEW state.lead_of AS
    SELECT id AS identifier, value, first_at, lead, shared FROM state.identifiers;

-- Every visit, also one without a page, and by which rule it is its owner's: somebody was identified in it, in the last
-- earlier visit that identified one, or in the first later one.
CREATE VIEW state.visit AS
    SELECT visitor_id, touch_id, started_at AS occurred_at, last_at, hits, channel, source, medium, campaign, content, term,
           landing_page, referrer, owner,
           CASE WHEN v.owner IS NULL THEN NULL WHEN v.identified IS NOT NULL THEN 'identified'
                WHEN EXISTS (SELECT FROM state.visits e WHERE e.visitor_id = v.visitor_id AND e.identified IS NOT NULL
                    AND (e.started_at, e.touch_id) < (v.started_at, v.touch_id)) THEN 'earlier'
                ELSE 'later' END AS owned_by
    FROM state.visits v;

-- The hits that count, of people.
CREATE VIEW state.hit AS
    SELECT visitor_id, event_id, occurred_at, type, url, title, name
    FROM state.hits h
    WHERE type IN ('pageview', 'form', 'identify', 'click', 'download', 'video', 'custom') AND kept_apart IS NULL
        AND NOT EXISTS (
            SELECT FROM (SELECT r.occurred_at, r.rank FROM state.hits r
                         WHERE r.visitor_id = h.visitor_id AND r.event_id = h.event_id OFFSET 0) w
            WHERE (w.occurred_at, w.rank) < (h.occurred_at, h.rank));

-- What people said or did, of the statements that count, and the identifier that names who: the first that is not shared.
CREATE VIEW state.said AS
    SELECT s.scope, s.event_id, s.occurred_at, s.rank, s.type, s.visitor_id, s.name, s.person, s.identifiers,
           (SELECT i.id FROM unnest(s.identifiers) WITH ORDINALITY AS carried (id, place) JOIN state.identifiers i USING (id)
            WHERE NOT i.shared ORDER BY carried.place LIMIT 1) AS named
    FROM state.statement s
    WHERE s.type IN ('pageview', 'form', 'identify', 'click', 'download', 'video', 'custom', 'email_open');

-- The offline touches, and by which rule each is its owner's: it names somebody, or the visitor's last visit at or before
-- it or the first after it has that owner.
CREATE VIEW state.offline_touch AS
    SELECT t.scope, t.touch_id, t.occurred_at, t.visitor_id, t.name, t.channel, t.source, t.medium, t.campaign, t.owner,
           CASE WHEN t.owner IS NULL THEN NULL
                WHEN EXISTS (SELECT FROM state.statement s JOIN state.identifiers i ON i.id = ANY (s.identifiers)
                    WHERE s.scope = t.scope AND s.event_id = t.touch_id AND NOT i.shared) THEN 'named'
                WHEN EXISTS (SELECT FROM state.visits v
                    WHERE v.visitor_id = t.visitor_id AND v.started_at <= t.occurred_at) THEN 'earlier'
                ELSE 'later' END AS owned_by
    FROM state.offline_touches t;

-- Every record that carries an identifier, also one whose event_id another has taken: what it joins is joined.
CREATE VIEW state.carried AS
    SELECT c.identifier, h.type, h.event_id, h.occurred_at, h.visitor_id, h.identifiers
    FROM state.carriers c JOIN state.hits h ON h.visitor_id = c.visitor_id AND c.identifier = ANY (h.identifiers)
    UNION ALL
    SELECT i.id, s.type, s.event_id, s.occurred_at, s.visitor_id, s.identifiers
    FROM state.identifiers i JOIN state.statements s ON s.identifiers @> ARRAY[i.id];

-- The pairs that any event carried together, the lesser id first, and whether an unlink holds them apart.
CREATE VIEW state.joined AS
    SELECT a, b, EXISTS (SELECT FROM state.cuts c WHERE (c.a, c.b) = (p.a, p.b)) AS cut FROM state.pairs p;

-- The pairs that are held apart, carried together or not, and the event that says so last.
CREATE VIEW state.parted AS
    SELECT c.a, c.b, said.event_id, said.occurred_at
    FROM state.cuts c
    JOIN LATERAL (SELECT s.event_id, s.occurred_at FROM state.statement s WHERE (s.a, s.b) = (c.a, c.b)
                  ORDER BY s.occurred_at DESC, s.event_id DESC, s.rank DESC LIMIT 1) AS said ON true;

-- Which deals name a lead.
CREATE INDEX deals_by_contact ON state.deals USING gin (contacts);
