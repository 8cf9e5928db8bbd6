//! The texts of mails, in the recipient's language.
//!
//! One file is one mail in one language, named `<mail>.<locale>`, with three blocks: `subject`, `text` and `html`. A file
//! without a locale is a layout that others extend. A name that is missing from the context is an error, never a gap in
//! a mail. In `html` everything is escaped, without the author's doing.

use std::borrow::Cow;
use std::collections::BTreeMap;

use minijinja::value::Value;
use minijinja::{Environment, Error, ErrorKind, State, UndefinedBehavior, context};

/// The language every mail exists in.
pub const FALLBACK: &str = "en";

/// A mail ready to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rendered {
    /// One line.
    pub subject: String,
    /// The plain text.
    pub text: String,
    /// The same as HTML.
    pub html: String,
}

/// The compiled texts. Cheap to share by reference; compiled once at the start.
#[derive(Debug)]
pub struct Templates(Environment<'static>);

impl Templates {
    /// Compiles `(name, source)` pairs. A fault in any of them is reported here and not when its first mail is due.
    pub fn new(sources: &[(&'static str, &'static str)]) -> Result<Self, Error> {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.add_filter("money", money);
        // Each source is compiled twice, as text and as HTML, because escaping goes by the template's ending; a layout
        // is looked up with the ending of the file that extends it.
        environment.set_path_join_callback(|name, parent| match parent.rsplit_once('.') {
            Some((_, ending)) => Cow::Owned(format!("{name}.{ending}")),
            None => Cow::Borrowed(name),
        });
        for (name, source) in sources {
            environment.add_template_owned(format!("{name}.txt"), *source)?;
            environment.add_template_owned(format!("{name}.html"), *source)?;
        }
        Ok(Self(environment))
    }

    /// Renders the mail `name` in the first of these languages it exists in: the locale itself (`de-CH`), its language
    /// (`de`), English. The template finds the one chosen as `locale`, beside the context's names.
    pub fn render(&self, name: &str, locale: &str, context: &Value) -> Result<Rendered, Error> {
        let (chosen, escaped) = self.choose(name, locale)?;
        // Numbers follow the recipient's region even when the text exists for the language only.
        let region = if locale.starts_with(chosen.as_str()) {
            locale
        } else {
            chosen.as_str()
        };
        let context = context! { locale => region, ..context.clone() };
        let mut page = self
            .0
            .get_template(&escaped)?
            .render_captured(context.clone())?;
        let mut plain = self
            .0
            .get_template(&format!("{name}.{chosen}.txt"))?
            .render_captured(context)?;
        let subject = plain.with_state_mut(|state| state.render_block("subject"))?;
        let text = plain.with_state_mut(|state| state.render_block("text"))?;
        let html = page.with_state_mut(|state| state.render_block("html"))?;
        Ok(Rendered {
            subject: subject.split_whitespace().collect::<Vec<_>>().join(" "),
            text: format!("{}\n", text.trim()),
            html: format!("{}\n", html.trim()),
        })
    }

    fn choose(&self, name: &str, locale: &str) -> Result<(String, String), Error> {
        let language = locale.split(['-', '_']).next().unwrap_or(FALLBACK);
        [locale, language, FALLBACK]
            .into_iter()
            .map(|locale| (locale.to_owned(), format!("{name}.{locale}.html")))
            .find(|(_, file)| self.0.get_template(file).is_ok())
            .ok_or_else(|| {
                Error::new(
                    ErrorKind::TemplateNotFound,
                    format!("no mail is named {name}"),
                )
            })
    }
}

/// The facts of a stored job as a template's context.
pub fn facts(json: &serde_json::Value) -> Value {
    match json {
        serde_json::Value::Null => Value::from(()),
        serde_json::Value::Bool(flag) => Value::from(*flag),
        serde_json::Value::String(text) => Value::from(text.as_str()),
        serde_json::Value::Number(number) => number
            .as_i64()
            .map_or_else(|| Value::from(number.to_string()), Value::from),
        serde_json::Value::Array(items) => items.iter().map(facts).collect(),
        serde_json::Value::Object(fields) => {
            let facts: BTreeMap<_, _> = fields
                .iter()
                .map(|(name, value)| (name.as_str(), facts(value)))
                .collect();
            Value::from(facts)
        }
    }
}

/// `{{ "1234567.80" | money("EUR") }}`: an amount in the manner of the recipient's locale, such as `EUR 1,234,567.80` or
/// `1.234.567,80 EUR`. The amount is a decimal text and its digits are kept as they are.
fn money(state: &State, amount: &str, currency: &str) -> Result<String, Error> {
    let locale = state.lookup("locale").unwrap_or_default();
    format_money(locale.as_str().unwrap_or(FALLBACK), amount, currency).ok_or_else(|| {
        Error::new(
            ErrorKind::InvalidOperation,
            format!("{amount:?} is not an amount"),
        )
    })
}

fn format_money(locale: &str, amount: &str, currency: &str) -> Option<String> {
    let style = Style::of(locale);
    let (sign, digits) = amount
        .strip_prefix('-')
        .map_or(("", amount), |digits| ("-", digits));
    let (whole, fraction) = match digits.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (digits, None),
    };
    let are_digits =
        |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !are_digits(whole) || !fraction.is_none_or(are_digits) {
        return None;
    }
    let mut number = sign.to_owned();
    for (place, digit) in whole.chars().enumerate() {
        if place > 0 && (whole.len() - place) % 3 == 0 {
            number.push(style.thousands);
        }
        number.push(digit);
    }
    if let Some(fraction) = fraction {
        number.push(style.decimal);
        number.push_str(fraction);
    }
    // A no-break space keeps the currency on the amount's line.
    Some(if style.currency_first {
        format!("{currency}\u{a0}{number}")
    } else {
        format!("{number}\u{a0}{currency}")
    })
}

/// How a region writes amounts (Unicode CLDR, number symbols and currency patterns).
struct Style {
    thousands: char,
    decimal: char,
    currency_first: bool,
}

impl Style {
    fn of(locale: &str) -> Self {
        let (thousands, decimal, currency_first) = match (locale, locale.get(..2)) {
            ("de-CH" | "it-CH" | "de-LI", _) => ('\u{2019}', '.', true),
            ("de-AT", _) => ('\u{a0}', ',', true),
            ("fr-CH", _) | (_, Some("fr")) => ('\u{202f}', ',', false),
            (_, Some("nl")) => ('.', ',', true),
            (_, Some("de" | "es" | "it" | "pt")) => ('.', ',', false),
            _ => (',', '.', true),
        };
        Self {
            thousands,
            decimal,
            currency_first,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LAYOUT: &str = "{% block subject %}{% endblock %}{% block text %}{% endblock %}\
        {% block html %}<body>{% block page %}{% endblock %}</body>{% endblock %}";
    const ENGLISH: &str = "{% extends 'layout' %}\
        {% block subject %}\n Welcome,\n {{ name }} {% endblock %}\
        {% block text %}\nHello {{ name }}, you earned {{ total.amount | money(total.currency) }}.\n\n{% endblock %}\
        {% block page %}<p>{{ name }}</p>{% endblock %}";
    const GERMAN: &str = "{% extends 'layout' %}{% block subject %}Willkommen{% endblock %}\
        {% block text %}{{ total.amount | money(total.currency) }}{% endblock %}{% block page %}{{ locale }}{% endblock %}";

    fn templates() -> Templates {
        Templates::new(&[
            ("layout", LAYOUT),
            ("welcome.en", ENGLISH),
            ("welcome.de", GERMAN),
        ])
        .unwrap()
    }

    fn known() -> Value {
        facts(
            &serde_json::json!({"name": "Ann & <b>Bob</b>", "total": {"amount": "1234.50", "currency": "EUR"}}),
        )
    }

    #[test]
    fn text_is_plain_and_html_is_escaped_through_the_layout() {
        let mail = templates().render("welcome", "en", &known()).unwrap();
        assert_eq!(mail.subject, "Welcome, Ann & <b>Bob</b>");
        assert_eq!(
            mail.text,
            "Hello Ann & <b>Bob</b>, you earned EUR\u{a0}1,234.50.\n"
        );
        assert_eq!(
            mail.html,
            "<body><p>Ann &amp; &lt;b&gt;Bob&lt;&#x2f;b&gt;</p></body>\n"
        );
    }

    #[test]
    fn the_nearest_language_is_chosen_and_numbers_follow_the_region() {
        let swiss = templates().render("welcome", "de-CH", &known()).unwrap();
        assert_eq!(
            (swiss.subject.as_str(), swiss.text.as_str()),
            ("Willkommen", "EUR\u{a0}1\u{2019}234.50\n")
        );
        assert_eq!(swiss.html, "<body>de-CH</body>\n");
        let polish = templates().render("welcome", "pl", &known()).unwrap();
        assert!(polish.text.contains("EUR\u{a0}1,234.50"));
    }

    #[test]
    fn gaps_and_unknown_mails_are_errors() {
        let gap = templates().render("welcome", "en", &context! { name => "Ann" });
        assert_eq!(gap.unwrap_err().kind(), ErrorKind::UndefinedError);
        let unknown = templates().render("farewell", "en", &known());
        assert_eq!(unknown.unwrap_err().kind(), ErrorKind::TemplateNotFound);
        assert!(Templates::new(&[("broken.en", "{% block subject %}")]).is_err());
    }

    #[test]
    fn amounts_keep_their_digits_and_are_grouped() {
        let cases = [
            ("en", "1000000", "JPY", "JPY\u{a0}1,000,000"),
            ("en", "-999.999", "KWD", "KWD\u{a0}-999.999"),
            (
                "de",
                "9007199254740993.07",
                "EUR",
                "9.007.199.254.740.993,07\u{a0}EUR",
            ),
            ("fr-CA", "1234.5", "CAD", "1\u{202f}234,5\u{a0}CAD"),
            ("de-AT", "100", "EUR", "EUR\u{a0}100"),
        ];
        for (locale, amount, currency, expected) in cases {
            assert_eq!(format_money(locale, amount, currency).unwrap(), expected);
        }
        for bad in ["", "-", "1.", ".5", "1e3", "1,0", "--1", "1.2.3", "1.-2"] {
            assert_eq!(format_money("en", bad, "EUR"), None, "{bad}");
        }
    }
}
