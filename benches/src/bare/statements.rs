//! The statements by hand, the same on both databases.

pub const DEALS: &str = "SELECT d.id, d.number, d.name, d.status, d.value_minor, d.currency, p.id, p.display_name \
    FROM deal d LEFT JOIN partner p ON p.id = d.partner_id ORDER BY d.id DESC LIMIT 20";
pub const PARTICIPANTS_OF_PAGE: &str = "SELECT x.deal_id, x.id, x.role, x.status, p.id, p.display_name \
    FROM deal_participant x JOIN partner p ON p.id = x.partner_id \
    WHERE x.deal_id IN (SELECT id FROM deal ORDER BY id DESC LIMIT 20) ORDER BY x.id";
pub const ACCRUALS_OF_PAGE: &str = "SELECT a.deal_id, a.id, a.kind, a.amount_minor, a.currency, p.id, p.display_name \
    FROM accrual a JOIN partner p ON p.id = a.partner_id \
    WHERE a.deal_id IN (SELECT id FROM deal ORDER BY id DESC LIMIT 20) ORDER BY a.created_at, a.id";
pub const DEAL: &str = "SELECT d.id, d.number, d.name, d.status, d.value_minor, d.currency, p.id, p.display_name \
    FROM deal d LEFT JOIN partner p ON p.id = d.partner_id WHERE d.id = $1";
pub const CUSTOMER_OF: &str =
    "SELECT c.id, c.name FROM deal d JOIN customer c ON c.id = d.customer_id WHERE d.id = $1";
pub const PARTICIPANTS_OF: &str = "SELECT x.deal_id, x.id, x.role, x.status, p.id, p.display_name \
    FROM deal_participant x JOIN partner p ON p.id = x.partner_id WHERE x.deal_id = $1 ORDER BY x.id";
pub const ACCRUALS_OF: &str = "SELECT a.deal_id, a.id, a.kind, a.amount_minor, a.currency, p.id, p.display_name \
    FROM accrual a JOIN partner p ON p.id = a.partner_id WHERE a.deal_id = $1 ORDER BY a.created_at, a.id";
pub const ACCOUNTS: &str = "SELECT p.id, p.display_name, a.kind, a.currency, a.balance_minor FROM partner p \
    LEFT JOIN ledger_account a ON a.partner_id = p.id AND a.currency = 'USD' WHERE p.id = $1";
pub const SUMS: &str = "SELECT CAST(COALESCE(SUM(CASE WHEN earned_at < $2 THEN amount_minor ELSE 0 END), 0) AS BIGINT), \
    CAST(COALESCE(SUM(CASE WHEN earned_at >= $2 AND kind <> 'CLAWBACK' THEN amount_minor ELSE 0 END), 0) AS BIGINT), \
    CAST(COALESCE(SUM(CASE WHEN earned_at >= $2 AND kind = 'CLAWBACK' THEN amount_minor ELSE 0 END), 0) AS BIGINT), \
    (SELECT CAST(COALESCE(SUM(amount_minor), 0) AS BIGINT) FROM payout WHERE partner_id = $1 AND currency = 'USD' AND paid_at < $2), \
    (SELECT CAST(COALESCE(SUM(amount_minor), 0) AS BIGINT) FROM payout WHERE partner_id = $1 AND currency = 'USD' \
      AND paid_at >= $2 AND paid_at < $3) \
    FROM accrual WHERE partner_id = $1 AND currency = 'USD' AND earned_at < $3";
pub const LINES: &str = "SELECT id, kind, deal_id, amount_minor FROM accrual WHERE partner_id = $1 AND currency = 'USD' \
    AND earned_at >= $2 AND earned_at < $3 ORDER BY earned_at, id LIMIT 25";
pub const VIEWER: &str = "SELECT id, name, email, role FROM \"user\" WHERE id = $1";
