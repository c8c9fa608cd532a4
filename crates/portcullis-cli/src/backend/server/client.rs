//! Requests, and what a server answers to them.

use std::fmt;
use std::time::Duration;

use portcullis::Secret;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use ureq::config::Config;
use ureq::http::header::{AUTHORIZATION, CONTENT_TYPE, IF_MATCH};
use ureq::http::{HeaderValue, Method, Request, StatusCode, Uri};
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::{Agent, Proxy};

use crate::failure::{Exit, Failure, Result};

/// How long a server may take to be reached, and to answer.
const CONNECTED_WITHIN: Duration = Duration::from_secs(10);
const ANSWERED_WITHIN: Duration = Duration::from_mins(1);

/// More than any list has on one page.
const LARGEST: u64 = 256 << 20;

pub struct Client {
    agent: Agent,
    base: String,
    token: Option<Secret>,
}

/// An error as the routes tell it.
#[derive(Deserialize)]
struct Told {
    message: String,
}

impl Client {
    /// Whether the URL is one that a token may go to is told on stderr, once.
    pub fn new(url: &str, token: Option<Secret>) -> Result<Self> {
        let base = url.trim_end_matches('/');
        let wrong =
            || Failure::usage(format!("`{url}` is no server's address, such as `https://tokens.example.com:8086`"));
        let uri: Uri = base.parse().map_err(|_| wrong())?;
        let (Some(scheme), Some(authority), None) = (uri.scheme_str(), uri.authority(), uri.query()) else {
            return Err(wrong());
        };
        if !matches!(scheme, "http" | "https") || authority.as_str().contains('@') {
            return Err(wrong());
        }
        let here = is_loopback(authority.host());
        if scheme == "http" && !here {
            anstream::eprintln!("warning: `{base}` is not https: secrets cross the network in the clear");
        }
        let tls = if scheme == "https" {
            TlsConfig::builder().root_certs(system_roots()?).build()
        } else {
            TlsConfig::default()
        };
        let config = Config::builder()
            .http_status_as_error(false)
            // What stays on this machine is not told to another one.
            .proxy(if here { None } else { Proxy::try_from_env() })
            // A token goes where it was told to go.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_connect(Some(CONNECTED_WITHIN))
            .timeout_global(Some(ANSWERED_WITHIN))
            .user_agent(concat!("portcullis/", env!("CARGO_PKG_VERSION")))
            .tls_config(tls)
            .build();
        Ok(Self { agent: config.new_agent(), base: base.to_owned(), token })
    }

    /// The same server, with another token.
    pub fn with_token(&self, token: Secret) -> Self {
        Self { agent: self.agent.clone(), base: self.base.clone(), token: Some(token) }
    }

    pub fn get<T: DeserializeOwned>(&self, path: impl fmt::Display) -> Result<T> {
        self.parse(&self.send(Method::GET, path, None, None)?)
    }

    pub fn delete(&self, path: impl fmt::Display) -> Result<()> {
        self.send(Method::DELETE, path, None, None).map(drop)
    }

    /// Sends JSON; `if_revision` makes it conditional.
    pub fn change<T: DeserializeOwned>(
        &self,
        method: Method,
        path: impl fmt::Display,
        body: &impl Serialize,
        if_revision: Option<u64>,
    ) -> Result<T> {
        let body = serde_json::to_string(body).map_err(|error| Failure::new(Exit::Failed, "no JSON").because(error))?;
        self.parse(&self.send(method, path, Some(body), if_revision)?)
    }

    fn send(
        &self,
        method: Method,
        path: impl fmt::Display,
        body: Option<String>,
        if_revision: Option<u64>,
    ) -> Result<String> {
        let mut request = Request::builder().method(method).uri(format!("{}{path}", self.base));
        if let Some(token) = &self.token {
            let header = HeaderValue::from_str(&format!("Token {}", token.expose()));
            let mut header = header.map_err(|_| Failure::usage("the token has characters that no token has"))?;
            header.set_sensitive(true);
            request = request.header(AUTHORIZATION, header);
        }
        if let Some(revision) = if_revision {
            request = request.header(IF_MATCH, format!("\"{revision}\""));
        }
        let unsendable = |error| Failure::usage("this cannot be sent").because(error);
        let answer = match body {
            None => self.agent.run(request.body(()).map_err(unsendable)?),
            Some(body) => {
                let request = request.header(CONTENT_TYPE, "application/json").body(body);
                self.agent.run(request.map_err(unsendable)?)
            }
        };
        let mut answer = answer.map_err(|error| {
            let sent = may_have_been_sent(&error);
            self.unreachable(error).in_doubt(sent)
        })?;
        let text = answer.body_mut().with_config().limit(LARGEST).read_to_string();
        let text = text.map_err(|error| self.unreachable(error).in_doubt(true))?;
        if answer.status().is_success() { Ok(text) } else { Err(self.refused(answer.status(), &text)) }
    }

    fn unreachable(&self, error: ureq::Error) -> Failure {
        let advice = format!("`{}` does not answer; is the server running, and is --url right?", self.base);
        Failure::new(Exit::Unavailable, advice).because(error)
    }

    /// The status says what went wrong; the body, where it is the routes' own, says it in words. Proxies and hosts send others.
    fn refused(&self, status: StatusCode, text: &str) -> Failure {
        let told = serde_json::from_str(text).map(|Told { message }| message).ok();
        let exit = match status {
            StatusCode::BAD_REQUEST | StatusCode::PAYLOAD_TOO_LARGE => Exit::Usage,
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Exit::Refused,
            // Without words it is the address that leads nowhere, which says nothing about tokens.
            StatusCode::NOT_FOUND if told.is_some() => Exit::NotFound,
            StatusCode::PRECONDITION_FAILED | StatusCode::UNPROCESSABLE_ENTITY => Exit::Conflict,
            StatusCode::REQUEST_TIMEOUT
            | StatusCode::TOO_MANY_REQUESTS
            | StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT => Exit::Unavailable,
            _ => Exit::Failed,
        };
        let said = |text: String| Failure::new(exit, text).because(status.to_string());
        // A proxy that lost the server, or a server that lost itself, does not know.
        let in_doubt = status.is_server_error();
        let base = &self.base;
        match told {
            Some(message) if message != "unauthorized access" => Failure::new(exit, message),
            _ if status == StatusCode::UNAUTHORIZED => Failure::new(
                exit,
                format!("`{base}` does not accept the token; is it this server's, whole, and in use?"),
            ),
            _ if exit == Exit::Unavailable => {
                said(format!("`{base}` cannot answer now; try again later")).in_doubt(in_doubt)
            }
            _ if exit == Exit::Failed => self.strange(format!("status {status}")).in_doubt(in_doubt),
            _ => said(format!("`{base}` refuses this")),
        }
    }

    fn parse<T: DeserializeOwned>(&self, text: &str) -> Result<T> {
        serde_json::from_str(text).map_err(|error| self.strange(error.to_string()).in_doubt(true))
    }

    /// Not what the routes answer.
    fn strange(&self, what: String) -> Failure {
        let advice = format!("`{}` does not answer as a token server does; is --url right?", self.base);
        Failure::new(Exit::Failed, advice).because(what)
    }
}

/// Those of the system, or of `SSL_CERT_FILE`.
fn system_roots() -> Result<RootCerts> {
    let found = rustls_native_certs::load_native_certs();
    if found.certs.is_empty() {
        let why = found.errors.first().map_or_else(|| "there are none".into(), ToString::to_string);
        let advice = "no root certificate could be read; name a file of them in SSL_CERT_FILE";
        return Err(Failure::new(Exit::Failed, advice).because(why));
    }
    let certificates = found.certs.iter().map(|certificate| Certificate::from_der(certificate).to_owned());
    Ok(RootCerts::Specific(std::sync::Arc::new(certificates.collect())))
}

/// Unless there was no connection to send it on.
fn may_have_been_sent(error: &ureq::Error) -> bool {
    use std::io::ErrorKind as Kind;
    use ureq::{Error as E, Timeout};
    match error {
        // Invalid data is a certificate that is not trusted.
        E::Io(error) => !matches!(
            error.kind(),
            Kind::ConnectionRefused | Kind::HostUnreachable | Kind::NetworkUnreachable | Kind::InvalidData
        ),
        E::Timeout(Timeout::Resolve | Timeout::Connect) => false,
        E::Timeout(_) | E::Protocol(_) | E::LargeResponseHeader(..) => true,
        _ => false,
    }
}

fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']').parse();
    host == "localhost" || address.is_ok_and(|address: std::net::IpAddr| address.is_loopback())
}
