//! Where a user and a single-use token stand.
//!
//! Pure: decides from facts alone.

crate::text_enum! {
    /// Why a session ended before its time.
    pub enum SessionEnd {
        /// The user signed out.
        SignedOut,
        /// A refresh token came back after its successor was in use: one of the two holders is a thief.
        RefreshTokenReused,
        /// The password was reset.
        PasswordReset,
        /// The user may not sign in any more.
        UserDeactivated,
    }
}
