//! A client of a server that really listens.

use std::time::Duration;

use serde_json::{Value, json};

/// A client with connections of its own. Cloning it shares them.
#[derive(Clone)]
pub struct Http(ureq::Agent);

/// Nothing came back: whether the call took effect is unknown.
#[derive(Debug)]
pub struct Lost;

impl Default for Http {
    fn default() -> Self {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(60)))
            .build();
        Self(config.into())
    }
}

impl Http {
    /// Status and body of a page.
    pub async fn get(&self, url: &str) -> Result<(u16, String), Lost> {
        let (agent, url) = (self.0.clone(), url.to_owned());
        tokio::task::spawn_blocking(move || {
            let mut answer = agent.get(&url).call()?;
            Ok((
                answer.status().as_u16(),
                answer.body_mut().read_to_string()?,
            ))
        })
        .await
        .unwrap()
        .map_err(|_: ureq::Error| Lost)
    }

    /// The same, asked of the server under this name.
    pub async fn get_as(&self, host: &str, url: &str) -> Result<(u16, String), Lost> {
        let request = self.0.get(url).header("host", host);
        tokio::task::spawn_blocking(move || {
            let mut answer = request.call()?;
            Ok((
                answer.status().as_u16(),
                answer.body_mut().read_to_string()?,
            ))
        })
        .await
        .unwrap()
        .map_err(|_: ureq::Error| Lost)
    }

    /// The answer to a GraphQL operation, whatever its status.
    pub async fn graphql(
        &self,
        address: &str,
        token: Option<&str>,
        document: &str,
        variables: &Value,
    ) -> Result<Value, Lost> {
        let body = json!({"query": document, "variables": variables});
        let mut request = self.0.post(format!("{address}/graphql"));
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        tokio::task::spawn_blocking(move || request.send_json(&body)?.body_mut().read_json())
            .await
            .unwrap()
            .map_err(|_: ureq::Error| Lost)
    }
}
