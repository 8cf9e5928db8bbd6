//! Sending: one task a mail, with a limit on the whole of it.

use std::path::Path;
use std::time::Duration;

use lettre::message::Mailbox;

use super::message::{Message, build};
use super::transport::{MailFault, MailTransport};

/// The longest a mail may take, from connecting to the last answer; lettre's own limit covers connecting only.
const LIMIT: Duration = Duration::from_secs(60);

/// Sends mails from one sender. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Mailer {
    transport: MailTransport,
    from: Mailbox,
    limit: Duration,
}

impl Mailer {
    /// A mailer that gives each mail a minute.
    pub fn new(transport: MailTransport, from: Mailbox) -> Self {
        Self {
            transport,
            from,
            limit: LIMIT,
        }
    }

    /// The same with another limit.
    pub fn with_limit(self, limit: Duration) -> Self {
        Self { limit, ..self }
    }

    /// The folder that mails are written to, where they are written to one.
    pub fn folder(&self) -> Option<&Path> {
        match &self.transport {
            MailTransport::Folder(folder) => Some(folder),
            MailTransport::Smtp(_) | MailTransport::Memory(_) => None,
        }
    }

    /// Sends one mail, in a task of its own: a caller who goes away does not cut it off halfway through.
    pub async fn send(&self, message: Message) -> Result<(), MailFault> {
        let Self {
            transport,
            from,
            limit,
        } = self.clone();
        let sending = tokio::spawn(async move {
            let mail = build(&message, from)?;
            match tokio::time::timeout(limit, transport.deliver(&message, &mail)).await {
                Ok(result) => result,
                Err(_) => Err(MailFault::Transient(format!(
                    "no answer within {} s",
                    limit.as_secs()
                ))),
            }
        });
        sending
            .await
            .unwrap_or_else(|fault| Err(MailFault::Transient(fault.to_string())))
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
    use tokio::net::TcpListener;

    use std::time::Duration;

    use chrono::DateTime;
    use secrecy::SecretString;
    use uuid::Uuid;

    use super::super::{MemoryMail, UnsafeHeader, message_id, safe_header};
    use super::*;

    fn message() -> Message {
        Message {
            to_name: "Ann Lee".to_owned(),
            to_address: "ann@example.com".to_owned(),
            subject: "Welcome".to_owned(),
            text: "Hello".to_owned(),
            html: "<p>Hello</p>".to_owned(),
            message_id: message_id(Uuid::from_u128(7), "prm.example"),
            date: DateTime::UNIX_EPOCH,
            headers: vec![("Auto-Submitted".to_owned(), "auto-generated".to_owned())],
        }
    }

    fn mailer(transport: MailTransport) -> Mailer {
        Mailer::new(transport, "Ensemble <ensemble@localhost>".parse().unwrap())
    }

    #[tokio::test]
    async fn a_mail_carries_both_bodies_and_a_lasting_message_id() {
        let kept = MemoryMail::default();
        mailer(MailTransport::Memory(kept.clone()))
            .send(message())
            .await
            .unwrap();
        let raw = &kept.sent()[0].raw;
        for line in [
            "From: Ensemble <ensemble@localhost>",
            "To: \"Ann Lee\" <ann@example.com>",
            "Subject: Welcome",
            "Date: Thu, 01 Jan 1970 00:00:00 +0000",
            "Message-ID: <00000000000000000000000000000007@prm.example>",
            "Auto-Submitted: auto-generated",
            "Content-Type: text/plain; charset=utf-8",
            "Content-Type: text/html; charset=utf-8",
        ] {
            assert!(
                raw.lines().any(|found| found == line),
                "{line} is not in\n{raw}"
            );
        }
    }

    #[tokio::test]
    async fn no_text_starts_a_header_of_its_own() {
        let forged = "Ann\r\nBcc: eve@example.com\0\u{2028}Ünal\r";
        assert_eq!(safe_header(forged), Err(UnsafeHeader));
        assert_eq!(safe_header("Ann Ünal"), Ok("Ann Ünal"));
        let kept = MemoryMail::default();
        let mut mail = message();
        mail.to_name = forged.to_owned();
        mail.subject = forged.to_owned();
        mail.message_id = forged.to_owned();
        mail.headers = vec![("X-Ensemble".to_owned(), forged.to_owned())];
        let mailer = mailer(MailTransport::Memory(kept.clone()));
        mailer.send(mail.clone()).await.unwrap();
        let raw = kept.sent()[0].raw.to_lowercase();
        let head = raw.split("\r\n\r\n").next().unwrap();
        assert!(head.lines().all(|line| !line.starts_with("bcc")), "{head}");
        assert!(
            !head.replace("\r\n", "").contains(['\r', '\n', '\0']),
            "{head}"
        );
        for name in ["X\r\nBcc", "", "X Y"] {
            mail.headers = vec![(name.to_owned(), String::new())];
            assert!(matches!(
                mailer.send(mail.clone()).await,
                Err(MailFault::Permanent(_))
            ));
        }
        for address in ["ann", "ann@example.com\r\nBcc: eve@example.com", ""] {
            let bad = Message {
                to_address: address.to_owned(),
                ..message()
            };
            assert!(matches!(
                mailer.send(bad).await,
                Err(MailFault::Permanent(_))
            ));
        }
        assert_eq!(kept.sent().len(), 1);
    }

    #[tokio::test]
    async fn ordered_failures_end_and_a_silent_server_is_given_up() {
        let kept = MemoryMail::default();
        let mailer =
            mailer(MailTransport::Memory(kept.clone())).with_limit(Duration::from_millis(20));
        let full = MailFault::Transient("452 mailbox full".to_owned());
        kept.fail(2, full.clone());
        assert_eq!(mailer.send(message()).await, Err(full.clone()));
        assert_eq!(mailer.send(message()).await, Err(full));
        assert_eq!(mailer.send(message()).await, Ok(()));
        kept.hang(true);
        assert!(matches!(
            mailer.send(message()).await,
            Err(MailFault::Transient(_))
        ));
        assert_eq!(kept.sent().len(), 1);
    }

    #[tokio::test]
    async fn a_folder_gets_one_file_a_message() {
        let folder = tempfile::tempdir().unwrap();
        let mailer = mailer(MailTransport::Folder(folder.path().join("mail")));
        mailer.send(message()).await.unwrap();
        mailer.send(message()).await.unwrap();
        let file = folder
            .path()
            .join("mail/00000000000000000000000000000007@prm.example.eml");
        assert!(
            std::fs::read_to_string(file)
                .unwrap()
                .contains("Subject: Welcome")
        );
        assert_eq!(
            std::fs::read_dir(folder.path().join("mail"))
                .unwrap()
                .count(),
            1
        );
    }

    /// A mail server for one connection that answers RCPT with `answer`, or hangs up there when it is empty.
    async fn server(answer: &'static str) -> SecretString {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            let mut stream = BufReader::new(listener.accept().await.unwrap().0);
            stream.write_all(b"220 test\r\n").await.unwrap();
            let mut line = String::new();
            let mut in_data = false;
            while stream.read_line(&mut line).await.unwrap_or(0) > 0 {
                let reply = match line.get(..4) {
                    _ if in_data && line != ".\r\n" => "",
                    Some("RCPT") if answer.is_empty() => return,
                    Some("RCPT") => answer,
                    Some("DATA") => "354 go on\r\n",
                    _ => "250 ok\r\n",
                };
                in_data = reply.starts_with("354") || (in_data && reply.is_empty());
                let _ = stream.write_all(reply.as_bytes()).await;
                line.clear();
            }
        });
        format!("smtp://127.0.0.1:{port}").into()
    }

    #[tokio::test]
    async fn the_servers_answer_decides_about_another_attempt() {
        let send = |url: SecretString| async move {
            mailer(MailTransport::smtp(&url).unwrap())
                .send(message())
                .await
        };
        assert_eq!(send(server("250 ok\r\n").await).await, Ok(()));
        assert!(matches!(
            send(server("550 nobody\r\n").await).await,
            Err(MailFault::Permanent(_))
        ));
        assert!(matches!(
            send(server("535 sign in\r\n").await).await,
            Err(MailFault::Transient(_))
        ));
        assert!(matches!(
            send(server("452 full\r\n").await).await,
            Err(MailFault::Transient(_))
        ));
        assert!(matches!(
            send(server("").await).await,
            Err(MailFault::Transient(_))
        ));
        assert!(matches!(
            send("smtp://127.0.0.1:1".into()).await,
            Err(MailFault::Transient(_))
        ));
        assert!(MailTransport::smtp(&"http://mail".into()).is_err());
    }
}
