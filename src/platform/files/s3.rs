//! Buckets of S3-compatible services.

use std::sync::Arc;
use std::time::Duration;

use object_store::{
    BackoffConfig, ClientOptions, ObjectStore, RetryConfig, aws::AmazonS3Builder, path::Path,
    prefix::PrefixStore,
};
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::Error;

/// How long one request may take.
const REQUEST: Duration = Duration::from_secs(10);

/// How long a request is retried that the service could not answer.
const RETRIED: Duration = Duration::from_secs(20);

/// Where a bucket is and how to get in.
#[derive(Clone, Debug)]
pub struct Bucket {
    /// The name of the bucket.
    pub name: String,
    /// What the names of all files start with; empty for none.
    pub prefix: String,
    /// The service; none for Amazon's own in the region.
    pub endpoint: Option<Url>,
    /// The region, such as `eu-central-1`.
    pub region: String,
    /// The access key; without one, the role of the machine is asked for keys.
    pub keys: Option<Keys>,
}

/// An access key. Printing it shows no secret.
#[derive(Clone, Debug)]
pub struct Keys {
    /// The public part.
    pub id: String,
    /// The secret part.
    pub secret: SecretString,
}

impl Bucket {
    /// A store of the files in this bucket. Nothing is sent yet.
    pub(super) fn connect(&self) -> Result<Arc<dyn ObjectStore>, Error> {
        // Another part of the process may have chosen it already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let is_plain = |endpoint: &Url| endpoint.scheme() == "http";
        let client = ClientOptions::new()
            .with_timeout(REQUEST)
            .with_allow_http(self.endpoint.as_ref().is_some_and(is_plain));
        let retry = RetryConfig {
            backoff: BackoffConfig::default(),
            max_retries: 4,
            retry_timeout: RETRIED,
        };
        let mut builder = AmazonS3Builder::new()
            .with_bucket_name(&self.name)
            .with_region(&self.region)
            .with_client_options(client)
            // Files are removed one at a time, which every service knows how to do.
            .with_disable_bulk_delete(true)
            .with_retry(retry);
        if let Some(endpoint) = &self.endpoint {
            builder = builder.with_endpoint(endpoint.as_str().trim_end_matches('/'));
        }
        if let Some(keys) = &self.keys {
            builder = builder
                .with_access_key_id(&keys.id)
                .with_secret_access_key(keys.secret.expose_secret());
        }
        let bucket = builder.build()?;
        Ok(Arc::new(PrefixStore::new(
            bucket,
            Path::from(self.prefix.as_str()),
        )))
    }
}
