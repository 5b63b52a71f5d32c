-- What the reports on journeys, pages and owners read.

-- Identity publishes every hit that counts together with the visit that it is part of.
CREATE VIEW state.step AS
    SELECT o.visitor_id, v.started_at, v.touch_id, v.owner, h.occurred_at, h.event_id, h.type, h.url, h.name
    FROM state.visits v
    LEFT JOIN state.visitors o ON o.number = v.visitor
    LEFT JOIN LATERAL (
        SELECT n.started_at, n.touch_id FROM state.visits n
        WHERE n.visitor = v.visitor AND (n.started_at, n.touch_id) > (v.started_at, v.touch_id)
        ORDER BY n.started_at, n.touch_id LIMIT 1
    ) AS next ON true
    JOIN state.hit h ON h.visitor = v.visitor AND h.occurred_at BETWEEN v.started_at AND v.last_at
        AND (h.occurred_at, h.event_id) >= (v.started_at, v.touch_id)
        AND (next.touch_id IS NULL OR (h.occurred_at, h.event_id) < (next.started_at, next.touch_id));

-- Touches that led to nothing: of leads that no won deal names, and of visitors whom no lead owns (`unowned`). Those of one
-- (lead, unowned) in a period are a null journey of that period. An offline touch of nobody is in no journey.
CREATE VIEW state.null_touch AS
    SELECT t.*, l.lead, CASE WHEN t.owner IS NULL THEN t.visitor_id END AS unowned
    FROM state.touch t LEFT JOIN state.lead_of l ON l.identifier = t.owner
    WHERE (t.owner IS NOT NULL OR t.visitor_id <> '')
        AND NOT EXISTS (
            SELECT FROM state.lead_of m JOIN state.deals d ON d.contacts @> ARRAY[m.identifier]
            WHERE m.lead = l.lead AND d.stage = 'won');

-- What a touch is called in a report by one of its dimensions; of a referrer it is the host.
CREATE FUNCTION state.key_of(
    dimension text, channel text, source text, medium text, campaign text, content text, term text, landing_page text, referrer text
) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE WHEN dimension = 'referrer' THEN
            coalesce(lower(substring(referrer FROM '^[A-Za-z][A-Za-z0-9+.-]*://(?:[^/?#]*@)?(\[[^]]*\]|[^/?#:@]+)')), '(none)')
        ELSE coalesce(CASE dimension WHEN 'channel' THEN channel WHEN 'source' THEN source WHEN 'medium' THEN medium
            WHEN 'campaign' THEN campaign WHEN 'content' THEN content WHEN 'term' THEN term
            WHEN 'landing_page' THEN landing_page END, '(not set)') END;

-- Deals of a period that are not won: a lost one may have no date of its end.
CREATE INDEX deals_lost ON state.deals (coalesce(closed_at, updated_at)) WHERE stage = 'lost';
CREATE INDEX deals_open ON state.deals (coalesce(created_at, updated_at)) WHERE stage = 'open';
