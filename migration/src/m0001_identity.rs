//! Who may sign in: users with one role each, their sessions, and single-use tokens.

crate::ddl::migration!("m0001_identity", sql: SQL, facts: [], tables: [
    "login_failure", "user_token", "refresh_token", "session", "user"
]);

const SQL: &str = r#"
-- partner_id is set exactly for the partner roles; its foreign key is checked by the use cases because
-- partners come later in the life of the schema and SQLite cannot add one afterwards.
CREATE TABLE "user" (
    id {id} PRIMARY KEY,
    email TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    role TEXT NOT NULL,
    partner_id {id},
    status TEXT NOT NULL CHECK (status IN ('INVITED', 'ACTIVE', 'DEACTIVATED')),
    password_hash TEXT,
    locale TEXT NOT NULL,
    version BIGINT NOT NULL,
    created_at {time} NOT NULL,
    updated_at {time} NOT NULL,
    CHECK ((partner_id IS NOT NULL) = (role LIKE 'PARTNER_%'))
)
;;
-- The users of one partner (mail recipients, portal administration).
CREATE INDEX user_partner ON "user" (partner_id, id)
;;
-- The vendor's users by role (mail recipients).
CREATE INDEX user_role ON "user" (role, id)
;;
CREATE TABLE session (
    id {id} PRIMARY KEY,
    user_id {id} NOT NULL REFERENCES "user" (id),
    created_at {time} NOT NULL,
    expires_at {time} NOT NULL,
    revoked_at {time},
    revoke_reason TEXT
)
;;
CREATE INDEX session_by_user ON session (user_id)
;;
-- One row per refresh token of a session; a token is used once, and its successor is derived from its own id.
CREATE TABLE refresh_token (
    id {id} PRIMARY KEY,
    session_id {id} NOT NULL REFERENCES session (id),
    token_hash TEXT NOT NULL UNIQUE,
    created_at {time} NOT NULL,
    expires_at {time} NOT NULL,
    used_at {time},
    successor_id {id}
)
;;
CREATE INDEX refresh_token_session ON refresh_token (session_id)
;;
-- Invitations and password resets: hashed, single use by a guarded UPDATE.
CREATE TABLE user_token (
    id {id} PRIMARY KEY,
    user_id {id} NOT NULL REFERENCES "user" (id),
    purpose TEXT NOT NULL CHECK (purpose IN ('INVITATION', 'PASSWORD_RESET')),
    token_hash TEXT NOT NULL UNIQUE,
    created_at {time} NOT NULL,
    expires_at {time} NOT NULL,
    used_at {time}
)
;;
CREATE INDEX user_token_user ON user_token (user_id, purpose)
;;
-- Failed sign-ins, counted per account and per address inside a sliding window, then swept.
CREATE TABLE login_failure (
    id {id} PRIMARY KEY,
    account_hash TEXT NOT NULL,
    address TEXT NOT NULL,
    at {time} NOT NULL
)
;;
CREATE INDEX login_failure_account ON login_failure (account_hash, at)
;;
CREATE INDEX login_failure_address ON login_failure (address, at)
"#;
