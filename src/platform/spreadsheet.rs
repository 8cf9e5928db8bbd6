//! Texts that people will open in a spreadsheet.

use std::borrow::Cow;

/// A text that no spreadsheet takes for a formula: one that starts like a formula gets a leading apostrophe.
///
/// Source: OWASP, CSV injection.
#[must_use]
pub fn harmless(text: &str) -> Cow<'_, str> {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']) {
        Cow::Owned(format!("'{text}"))
    } else {
        Cow::Borrowed(text)
    }
}

#[cfg(test)]
mod tests {
    use super::harmless;

    #[test]
    fn formulas_are_told_apart_from_names() {
        assert_eq!(harmless("Acme - East"), "Acme - East");
        for text in ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1"] {
            assert_eq!(harmless(text), format!("'{text}"));
        }
    }
}
