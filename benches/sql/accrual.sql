-- Credit, commission and books of every won deal in pure SQL, set-based: the same rows as `ensemble run accrual` writes,
-- for the rules that the made-up data is under (credit by role, ten percent shared by credit, nothing held back).
BEGIN;
CREATE TEMPORARY SEQUENCE number;
-- Ids that sort by time, as those of the product do.
CREATE FUNCTION pg_temp.fresh_id() RETURNS uuid LANGUAGE sql VOLATILE AS
$$ SELECT ('019b76da-a800-7000-8000-' || lpad(to_hex(nextval('number')), 12, '0'))::uuid $$;

CREATE TEMPORARY TABLE won AS
SELECT d.id AS deal_id, pg_temp.fresh_id() AS run_id, d.program_id, d.program_version_id, d.value_minor, d.currency, d.closed_at
FROM deal d WHERE d.status = 'WON'
  AND NOT EXISTS (SELECT 1 FROM attribution_run r WHERE r.deal_id = d.id AND r.official AND r.superseded_at IS NULL)
ORDER BY d.closed_at, d.id;
ANALYZE won;

-- Touchpoints that count: verified, in the window, one of a kind by a partner on a day.
CREATE TEMPORARY TABLE counted AS
SELECT deal_id, partner_id, id, occurred_at, kind, phase, milestone FROM (
  SELECT t.*, row_number() OVER (PARTITION BY t.deal_id, t.partner_id, t.kind, (t.occurred_at AT TIME ZONE 'UTC')::date
                                 ORDER BY t.occurred_at, t.id) AS place
  FROM touchpoint t JOIN won w ON w.deal_id = t.deal_id
  WHERE t.status = 'VERIFIED' AND t.occurred_at >= w.closed_at - INTERVAL '180 days'
    AND greatest(t.occurred_at, t.recorded_at) <= w.closed_at) judged
WHERE place = 1;
ANALYZE counted;

INSERT INTO attribution_run (id, deal_id, program_version_id, model, official, basis, value_minor, currency, as_of, inputs_hash, created_at)
SELECT w.run_id, w.deal_id, w.program_version_id, 'ROLE_WEIGHTED', true, 'PARTICIPATION', w.value_minor, w.currency, w.closed_at,
  encode(sha256(convert_to('ROLE_WEIGHTED|' || w.value_minor || ' ' || w.currency || '|' || to_json(w.closed_at) || '|' || v.settings
    || coalesce(t.text, '') || coalesce(p.text, ''), 'UTF8')), 'hex'), now()
FROM won w JOIN program_version v ON v.id = w.program_version_id
LEFT JOIN (SELECT deal_id, string_agg('|T ' || id || ' ' || partner_id || ' ' || to_json(occurred_at) || ' ' || kind || ' ' || phase, ''
             ORDER BY occurred_at, partner_id, id) AS text FROM counted GROUP BY deal_id) t ON t.deal_id = w.deal_id
LEFT JOIN (SELECT deal_id, string_agg('|P ' || partner_id || ' ' || role || ' ' || to_json(accepted_at), ''
             ORDER BY accepted_at, partner_id, role) AS text FROM deal_participant WHERE accepted_at IS NOT NULL GROUP BY deal_id) p
  ON p.deal_id = w.deal_id;

-- Weight by role; the order of the credit is that of the first touch.
CREATE TEMPORARY TABLE weighed AS
SELECT w.run_id, w.deal_id, w.program_id, w.value_minor, w.currency, w.closed_at, x.partner_id, x.weight, coalesce(c.touches, 0) AS touches,
  row_number() OVER (PARTITION BY w.deal_id ORDER BY coalesce(c.first, x.accepted_at), x.partner_id) - 1 AS position,
  sum(x.weight) OVER (PARTITION BY w.deal_id) AS whole,
  round(w.value_minor::numeric / 10) AS rounded
FROM won w
JOIN (SELECT p.deal_id, p.partner_id, sum((r->>'weight')::numeric * 10000000000000000) AS weight, min(p.accepted_at) AS accepted_at
      FROM deal_participant p JOIN won w ON w.deal_id = p.deal_id JOIN program_version v ON v.id = w.program_version_id
      CROSS JOIN LATERAL jsonb_array_elements(v.settings->'roles') r
      WHERE p.status = 'ACCEPTED' AND r->>'role' = p.role GROUP BY p.deal_id, p.partner_id) x ON x.deal_id = w.deal_id
LEFT JOIN (SELECT deal_id, partner_id, count(*) AS touches, min(occurred_at) AS first FROM counted GROUP BY deal_id, partner_id) c
  ON c.deal_id = x.deal_id AND c.partner_id = x.partner_id;
-- Half to even: the database rounds half away from zero.
UPDATE weighed SET rounded = rounded - 1 WHERE value_minor % 10 = 5 AND rounded % 2 = 1;
ANALYZE weighed;

-- Largest remainder, three times: the value, the shares, the pool.
CREATE TEMPORARY TABLE divided AS
SELECT run_id, deal_id, program_id, currency, closed_at, partner_id, weight, touches, position, rounded,
  amount + (row_number() OVER (PARTITION BY deal_id ORDER BY amount_rest DESC, position)
    <= value_minor - sum(amount) OVER (PARTITION BY deal_id))::int AS amount,
  share + (row_number() OVER (PARTITION BY deal_id ORDER BY share_rest DESC, position)
    <= 1000000 - sum(share) OVER (PARTITION BY deal_id))::int AS share,
  pool + (row_number() OVER (PARTITION BY deal_id ORDER BY pool_rest DESC, position)
    <= rounded - sum(pool) OVER (PARTITION BY deal_id))::int AS pool
FROM (SELECT *, div(value_minor * weight, whole) AS amount, mod(value_minor * weight, whole) AS amount_rest,
        div(1000000 * weight, whole) AS share, mod(1000000 * weight, whole) AS share_rest,
        div(rounded * weight, whole) AS pool, mod(rounded * weight, whole) AS pool_rest FROM weighed) parts;
ANALYZE divided;

INSERT INTO attribution_credit (id, run_id, deal_id, partner_id, position, weight, share_ppm, amount_minor, currency, touches)
SELECT pg_temp.fresh_id(), run_id, deal_id, partner_id, position, weight, share, amount, currency, touches
FROM divided ORDER BY deal_id, position;

INSERT INTO accrual (id, deal_id, plan_id, component, partner_id, program_id, kind, amount_minor, currency, weight, pool_minor, run_id,
  earned_at, available_at, created_at)
SELECT pg_temp.fresh_id(), d.deal_id, p.id, 0, d.partner_id, d.program_id, 'EARNED', d.pool, d.currency, d.weight, d.rounded, d.run_id,
  d.closed_at, d.closed_at, now()
FROM divided d JOIN incentive_plan p ON p.program_id = d.program_id AND p.status = 'ACTIVE' AND p.currency = d.currency
  AND p.effective_from <= d.closed_at AND (p.effective_to IS NULL OR d.closed_at < p.effective_to)
WHERE d.pool <> 0 ORDER BY d.closed_at, d.deal_id, d.position;

ANALYZE accrual;
CREATE TEMPORARY TABLE posted AS
SELECT pg_temp.fresh_id() AS id, a.deal_id, a.plan_id, a.currency, a.earned_at, sum(a.amount_minor) AS total,
  string_agg(a.partner_id || ' ' || a.amount_minor, '|' ORDER BY a.partner_id) AS text
FROM accrual a JOIN won w ON w.deal_id = a.deal_id GROUP BY a.deal_id, a.plan_id, a.currency, a.earned_at;
ANALYZE posted;

INSERT INTO ledger_transaction (id, kind, transaction_key, input_hash, subject_type, subject_id, effective_at, recorded_at, period)
SELECT id, 'COMMISSION', 'deal:' || deal_id || ':commission:' || plan_id,
  encode(sha256(convert_to('COMMISSION|deal|' || deal_id || '|' || to_json(earned_at) || '|' || currency || '|' || text, 'UTF8')), 'hex'),
  'deal', deal_id, earned_at, now(), to_char(earned_at AT TIME ZONE 'UTC', 'YYYY-MM')
FROM posted;

INSERT INTO ledger_account (id, kind, partner_id, currency, balance_minor, created_at, updated_at)
SELECT pg_temp.fresh_id(), kind, partner_id, currency, 0, now(), now() FROM (
  SELECT DISTINCT 'ACCRUED' AS kind, partner_id, currency FROM divided
  UNION SELECT DISTINCT 'COMMISSION_EXPENSE', NULL::uuid, currency FROM divided) wanted
ON CONFLICT DO NOTHING;

ANALYZE ledger_account;
INSERT INTO ledger_entry (id, transaction_id, account_id, currency, amount_minor)
SELECT pg_temp.fresh_id(), transaction_id, account_id, currency, amount FROM (
  SELECT p.id AS transaction_id, l.id AS account_id, p.currency, p.total AS amount
  FROM posted p JOIN ledger_account l ON l.partner_id IS NULL AND l.kind = 'COMMISSION_EXPENSE' AND l.currency = p.currency
  UNION ALL
  SELECT p.id, l.id, p.currency, -a.amount_minor
  FROM posted p JOIN accrual a ON a.deal_id = p.deal_id AND a.plan_id = p.plan_id
  JOIN ledger_account l ON l.partner_id = a.partner_id AND l.kind = 'ACCRUED' AND l.currency = p.currency) entries
ORDER BY transaction_id;

UPDATE ledger_account l SET balance_minor = l.balance_minor + s.total, updated_at = now()
FROM (SELECT e.account_id, sum(e.amount_minor) AS total FROM ledger_entry e JOIN posted p ON p.id = e.transaction_id GROUP BY e.account_id) s
WHERE s.account_id = l.id;
COMMIT;
