-- A payout run in pure SQL: the same rows as `payoutRunCreate` writes.
BEGIN;
CREATE TEMPORARY TABLE due AS
SELECT gen_random_uuid() AS id, a.partner_id, a.currency, sum(a.amount_minor)::bigint AS amount, count(*) AS lines, p.status, p.dpa_valid_until
FROM accrual a JOIN partner p ON p.id = a.partner_id
WHERE a.payout_id IS NULL AND a.available_at < '2026-01-01' AND a.earned_at < '2026-01-01'
GROUP BY a.program_id, a.partner_id, a.currency, p.id;
ANALYZE due;
INSERT INTO payout_run (id, number, program_id, program_version_id, period_start, period_end, status, created_by, version, created_at, updated_at)
SELECT '019b76da-a800-7000-8000-00000000ffff', 'PR-BARE', v.program_id, v.id, '2025-01-01', '2025-12-31', 'REVIEW',
  (SELECT id FROM "user" WHERE email = 'finance-1@vendor.example'), 1, now(), now() FROM program_version v;
INSERT INTO payout (id, number, run_id, partner_id, amount_minor, currency, line_count, status, version, created_at, updated_at)
SELECT id, 'PO-' || id, '019b76da-a800-7000-8000-00000000ffff', partner_id, amount, currency, lines, 'REVIEW', 1, now(), now()
FROM due WHERE amount >= 5000 AND status IN ('ACTIVE', 'ON_WATCH', 'OFFBOARDING') AND coalesce(dpa_valid_until >= current_date, true);
INSERT INTO payout_exception (id, run_id, partner_id, currency, amount_minor, reason)
SELECT gen_random_uuid(), '019b76da-a800-7000-8000-00000000ffff', partner_id, currency, amount, 'BELOW_MINIMUM' FROM due
WHERE NOT EXISTS (SELECT 1 FROM payout p WHERE p.id = due.id);
UPDATE accrual a SET payout_id = p.id FROM payout p
WHERE p.run_id = '019b76da-a800-7000-8000-00000000ffff' AND a.partner_id = p.partner_id AND a.currency = p.currency
  AND a.payout_id IS NULL AND a.available_at < '2026-01-01' AND a.earned_at < '2026-01-01';
COMMIT;
