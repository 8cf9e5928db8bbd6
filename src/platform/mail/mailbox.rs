//! Reading the mails that were written to a folder.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use mail_parser::{Address, MessageParser};
use serde::Serialize;

/// The largest file that is read; what Ensemble writes is a hundredth of it.
const LARGEST: u64 = 1024 * 1024;

/// A folder of mails. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Mailbox(PathBuf);

/// A mail that was written to a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StoredMail {
    /// The name of its file.
    pub name: String,
    /// The sender.
    pub from: String,
    /// The recipient.
    pub to: String,
    /// One line.
    pub subject: String,
    /// When it was decided on, as RFC 3339.
    pub date: String,
    /// The same for readers, in UTC.
    pub day: String,
    /// The plain text.
    pub text: String,
    /// The same as HTML, untrusted.
    pub html: Option<String>,
    /// The web addresses in the plain text, each once.
    pub links: Vec<String>,
}

impl Mailbox {
    /// The mails of a folder, which need not exist yet.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self(folder.into())
    }

    /// The newest mails, at most `limit`, and how many there are.
    pub async fn newest(&self, limit: usize) -> io::Result<(Vec<StoredMail>, usize)> {
        let folder = self.0.clone();
        blocking(move || {
            let mut names = names(&folder)?;
            // Names begin with the id of a job, and ids with the time.
            names.sort_unstable_by(|one, other| other.cmp(one));
            let total = names.len();
            let mut mails = Vec::new();
            for name in names.into_iter().take(limit) {
                mails.extend(read(&folder, &name)?);
            }
            Ok((mails, total))
        })
        .await
    }

    /// The mail in the file of this name, if there is one in the folder itself.
    pub async fn open(&self, name: &str) -> io::Result<Option<StoredMail>> {
        let (folder, name) = (self.0.clone(), name.to_owned());
        blocking(move || read(&folder, &name)).await
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(io::Error::other)?
}

fn names(folder: &Path) -> io::Result<Vec<String>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut names = Vec::new();
    for entry in entries {
        names.extend(
            entry?
                .file_name()
                .into_string()
                .ok()
                .filter(|name| is_name(name)),
        );
    }
    Ok(names)
}

/// A name as the transport writes it: no way out of the folder, no hidden file.
fn is_name(name: &str) -> bool {
    let harmless =
        |character: char| character.is_ascii_alphanumeric() || "-_@.".contains(character);
    !name.starts_with('.') && name.ends_with(".eml") && name.chars().all(harmless)
}

fn read(folder: &Path, name: &str) -> io::Result<Option<StoredMail>> {
    if !is_name(name) {
        return Ok(None);
    }
    let path = folder.join(name);
    let bytes = match fs::symlink_metadata(&path) {
        Ok(found) if found.is_file() && found.len() <= LARGEST => fs::read(&path)?,
        Ok(_) => return Ok(None),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    Ok(parse(name, &bytes))
}

fn parse(name: &str, bytes: &[u8]) -> Option<StoredMail> {
    let mail = MessageParser::default().parse(bytes)?;
    // The parser makes each of the two bodies from the other where one is missing; only what is there is shown.
    let body = |parts: &[u32], html: bool| {
        let part = mail.part(*parts.first()?)?;
        (part.is_text_html() == html).then(|| part.text_contents().map(str::to_owned))?
    };
    let text = body(&mail.text_body, false).unwrap_or_default();
    let date = mail.date();
    Some(StoredMail {
        name: name.to_owned(),
        from: people(mail.from()),
        to: people(mail.to()),
        subject: mail.subject().unwrap_or("(no subject)").to_owned(),
        date: date.map(|date| date.to_rfc3339()).unwrap_or_default(),
        day: date
            .map(|date| {
                format!(
                    "{:04}-{:02}-{:02} {:02}:{:02}",
                    date.year, date.month, date.day, date.hour, date.minute
                )
            })
            .unwrap_or_default(),
        links: links(&text),
        html: body(&mail.html_body, true),
        text,
    })
}

fn people(addresses: Option<&Address<'_>>) -> String {
    let each = addresses.into_iter().flat_map(Address::iter).map(|person| {
        let address = person.address().unwrap_or_default();
        match person.name() {
            Some(name) => format!("{name} <{address}>"),
            None => address.to_owned(),
        }
    });
    each.collect::<Vec<_>>().join(", ")
}

/// The words that begin with `http://` or `https://`, without what ends a sentence.
fn links(text: &str) -> Vec<String> {
    let mut links: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        let word = word.trim_matches(|c: char| "<>()[]\"'.,;:!?".contains(c));
        let known = links.iter().any(|link| link == word);
        if (word.starts_with("http://") || word.starts_with("https://")) && !known {
            links.push(word.to_owned());
        }
    }
    links
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use uuid::Uuid;

    use super::super::{MailTransport, Mailer, Message, message_id};
    use super::*;

    async fn send(folder: &Path, number: u128, subject: &str) {
        let sender = "Ensemble <ensemble@localhost>".parse().unwrap();
        let message = Message {
            to_name: "Jürgen Weiß".to_owned(),
            to_address: "juergen@example.com".to_owned(),
            subject: subject.to_owned(),
            text: format!(
                "Grüße, {subject}\n\nOpen it:\nhttps://prm.example/x?token=a_b-{number}\nsee https://prm.example/help."
            ),
            html: "<p>Grüße &amp; more</p>".to_owned(),
            message_id: message_id(Uuid::from_u128(number), "prm.example"),
            date: DateTime::UNIX_EPOCH,
            headers: Vec::new(),
        };
        let mailer = Mailer::new(MailTransport::Folder(folder.to_owned()), sender);
        mailer.send(message).await.unwrap();
    }

    #[tokio::test]
    async fn what_was_written_is_read_back_newest_first() {
        let folder = tempfile::tempdir().unwrap();
        let mailbox = Mailbox::new(folder.path().join("mail"));
        assert_eq!(mailbox.newest(5).await.unwrap(), (vec![], 0));
        for number in [2, 3, 1] {
            send(
                &folder.path().join("mail"),
                number,
                &format!("Übersicht № {number}"),
            )
            .await;
        }
        let (mails, total) = mailbox.newest(2).await.unwrap();
        let subjects: Vec<&str> = mails.iter().map(|mail| mail.subject.as_str()).collect();
        assert_eq!(
            (subjects.as_slice(), total),
            (&["Übersicht № 3", "Übersicht № 2"][..], 3)
        );
        let mail = mailbox.open(&mails[0].name).await.unwrap().unwrap();
        assert_eq!(mail, mails[0]);
        assert_eq!(mail.from, "Ensemble <ensemble@localhost>");
        assert_eq!(mail.to, "Jürgen Weiß <juergen@example.com>");
        assert_eq!(mail.day, "1970-01-01 00:00");
        assert!(mail.text.starts_with("Grüße, Übersicht"), "{}", mail.text);
        assert_eq!(
            mail.html.as_deref().map(str::trim),
            Some("<p>Grüße &amp; more</p>")
        );
        assert_eq!(
            mail.links,
            [
                "https://prm.example/x?token=a_b-3",
                "https://prm.example/help"
            ]
        );
    }

    #[tokio::test]
    async fn only_mails_of_the_folder_itself_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("mail");
        fs::create_dir_all(inner.join("folder.eml")).unwrap();
        let plain = b"Subject: secret\r\n\r\nx\r\n";
        fs::write(folder.path().join("outside.eml"), plain).unwrap();
        fs::write(inner.join(".hidden.eml"), plain).unwrap();
        fs::write(inner.join("note.txt"), plain).unwrap();
        fs::write(inner.join("large.eml"), vec![b'x'; 1024 * 1024 + 1]).unwrap();
        #[cfg(unix)]
        std::os::unix::fs::symlink(folder.path().join("outside.eml"), inner.join("link.eml"))
            .unwrap();
        let mailbox = Mailbox::new(&inner);
        for name in [
            "../outside.eml",
            "..",
            "",
            "outside.eml",
            ".hidden.eml",
            "note.txt",
            "folder.eml",
            "large.eml",
            "link.eml",
            "a\0.eml",
        ] {
            assert_eq!(mailbox.open(name).await.unwrap(), None, "{name}");
        }
        fs::write(inner.join("plain.eml"), plain).unwrap();
        let mail = mailbox.open("plain.eml").await.unwrap().unwrap();
        assert_eq!(
            (mail.subject.as_str(), mail.text.trim(), mail.html),
            ("secret", "x", None)
        );
        let (mails, _) = mailbox.newest(10).await.unwrap();
        assert_eq!(mails.len(), 1);
    }
}
