//! A connection to a database that is another program's, only to read.

use tokio_postgres::Client;
use tokio_postgres::config::TargetSessionAttrs;

use super::connection::Connector;
use super::options::{OpenError, PostgresOptions};
use super::{schema, tls};

/// What is read there takes as long as it takes, and a policy that would leave rows out is an
/// error instead.
const READING: &str = "SET default_transaction_read_only = on; SET statement_timeout = 0;
    SET row_security = off";

/// Connects, with the TLS of the options. A replica will do. Errors: the server does not answer or
/// refuses.
pub(crate) async fn connect_elsewhere(options: &PostgresOptions) -> Result<Client, OpenError> {
    let mut options = options.clone();
    options.config.target_session_attrs(TargetSessionAttrs::Any);
    let connector = Connector::new(&options, tls::Tls::new(&options)?);
    let client = connector.plain().await.map_err(schema::refused)?;
    let reading = client.batch_execute(READING).await;
    reading.map_err(|error| schema::refused(error.into()))?;
    Ok(client)
}
