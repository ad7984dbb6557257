//! Services that speak HTTP and JSON.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::{CONTENT_TYPE, HeaderMap, RETRY_AFTER};
use reqwest::{Client, RequestBuilder, Response, StatusCode, redirect};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use zeroize::Zeroizing;

use super::place::{Fault, Said};

/// The longest answer that is read, in bytes; certificates with their chain are the longest that are expected.
const MAX_ANSWER: usize = 256 * 1024;
const CONNECT: Duration = Duration::from_secs(5);

/// Error codes of AWS that mean "later", which it answers with status 400.
const LATER: [&str; 4] =
    ["ThrottlingException", "Throttling", "LimitExceededException", "RequestLimitExceeded"];

/// A client. It follows no redirects: nothing here is redirected, and credentials must not follow one.
///
/// # Errors
/// When the TLS library cannot be set up.
pub(super) fn client() -> Result<Client, Fault> {
    build(Client::builder())
}

/// A client for addresses of this machine or its hypervisor, which no proxy can reach.
///
/// # Errors
/// As [`client`].
pub(super) fn local_client() -> Result<Client, Fault> {
    build(Client::builder().no_proxy())
}

fn build(builder: reqwest::ClientBuilder) -> Result<Client, Fault> {
    let builder = builder.connect_timeout(CONNECT).redirect(redirect::Policy::none());
    builder.build().map_err(Fault::refused_for)
}

/// `https://`, or `http://` for the loopback addresses, on which nobody has certificates.
pub(super) fn base_url(host: &str) -> String {
    let name = host.rsplit_once(':').map_or(host, |(name, port)| {
        if port.bytes().all(|byte| byte.is_ascii_digit()) { name } else { host }
    });
    let loopback = matches!(name, "localhost" | "127.0.0.1" | "[::1]");
    format!("{}://{host}", if loopback { "http" } else { "https" })
}

/// The bytes behind base64 in an answer.
pub(super) fn decoded(text: &str) -> Result<Vec<u8>, Fault> {
    STANDARD.decode(text).map_err(|_| Fault::refused("the answer is not what was expected"))
}

/// What a service answered. Wiped when dropped, since it may be a token.
pub(super) struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Zeroizing<Vec<u8>>,
}

/// A request with this body in JSON.
///
/// # Errors
/// When it has no JSON form.
pub(super) fn with_json(request: RequestBuilder, body: &impl Serialize) -> Result<RequestBuilder, Fault> {
    let body = serde_json::to_vec(body).map_err(Fault::refused_for)?;
    Ok(request.header(CONTENT_TYPE, "application/json").body(body))
}

/// A request with these fields as a form.
pub(super) fn with_form(request: RequestBuilder, fields: &[(&str, &str)]) -> RequestBuilder {
    let mut form = url::form_urlencoded::Serializer::new(String::new());
    form.extend_pairs(fields);
    request.header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(form.finish())
}

/// Sends a request and reads the whole answer.
pub(super) async fn send(request: RequestBuilder) -> Result<Answer, Fault> {
    let response = request.send().await.map_err(lost)?;
    let (status, headers) = (response.status(), response.headers().clone());
    Ok(Answer { status, headers, body: read(response).await? })
}

fn lost(error: reqwest::Error) -> Fault {
    // The URL is in the name of the signer already.
    Fault::unavailable(error.without_url())
}

async fn read(mut response: Response) -> Result<Zeroizing<Vec<u8>>, Fault> {
    let mut body = Zeroizing::new(Vec::with_capacity(4096));
    while let Some(piece) = response.chunk().await.map_err(lost)? {
        if body.len() + piece.len() > MAX_ANSWER {
            return Err(Fault::refused("the answer is too long"));
        }
        body.extend_from_slice(&piece);
    }
    Ok(body)
}

impl Answer {
    pub(super) fn status(&self) -> StatusCode {
        self.status
    }

    pub(super) fn body(&self) -> &[u8] {
        &self.body
    }

    /// The answer to a request that was granted.
    ///
    /// # Errors
    /// When the service did not grant it, or says something else than expected.
    pub(super) fn json<T: DeserializeOwned>(&self) -> Result<T, Fault> {
        if !self.status.is_success() {
            return Err(self.fault());
        }
        serde_json::from_slice(&self.body).map_err(|_| Fault::refused("the answer is not what was expected"))
    }

    /// Why the service did not grant the request.
    pub(super) fn fault(&self) -> Fault {
        let value: Value = serde_json::from_slice(&self.body).unwrap_or_default();
        let code = first_text(&value, &["/__type", "/error/status", "/error/code", "/error"]);
        let text = first_text(
            &value,
            &["/error/message", "/error_description", "/message", "/Message", "/errors/0", "/error"],
        );
        let code = code.and_then(|code| code.rsplit('#').next()).unwrap_or_default();
        let said = format!("{}: {code} {}", self.status, text.unwrap_or_default());
        let cause = Box::new(Said::new(said.trim_end_matches([' ', ':'])));
        let busy = matches!(self.status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE);
        if busy || LATER.contains(&code) {
            Fault::Throttled(cause, self.retry_after())
        } else if self.status.is_server_error() || self.status == StatusCode::REQUEST_TIMEOUT {
            Fault::Unavailable(cause)
        } else {
            Fault::Refused(cause)
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        let text = self.headers.get(RETRY_AFTER)?.to_str().ok()?;
        text.trim().parse().ok().map(Duration::from_secs)
    }
}

fn first_text<'a>(value: &'a Value, places: &[&str]) -> Option<&'a str> {
    places.iter().find_map(|place| value.pointer(place)?.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, body: &str) -> Answer {
        let status = StatusCode::from_u16(status).unwrap();
        let headers = HeaderMap::from_iter([(RETRY_AFTER, "3".parse().unwrap())]);
        Answer { status, headers, body: Zeroizing::new(body.into()) }
    }

    #[test]
    fn what_may_pass_is_told_from_what_will_not() {
        let throttled = r#"{"__type":"com.amazonaws.kms#ThrottlingException","message":"Rate exceeded"}"#;
        for (status, body, kind, said) in [
            (400, throttled, "Throttled", "400 Bad Request: ThrottlingException Rate exceeded"),
            (429, "", "Throttled", "429 Too Many Requests"),
            (503, "<html>", "Throttled", "503 Service Unavailable"),
            (
                500,
                r#"{"errors":["internal error"]}"#,
                "Unavailable",
                "500 Internal Server Error:  internal error",
            ),
            (
                403,
                r#"{"error":{"code":"Forbidden","message":"no"}}"#,
                "Refused",
                "403 Forbidden: Forbidden no",
            ),
            (302, "", "Refused", "302 Found"),
        ] {
            let fault = answer(status, body).fault();
            let text = format!("{fault:?}");
            assert!(text.starts_with(kind) && text.contains(said), "{text}");
        }
        assert!(matches!(answer(429, "").fault(), Fault::Throttled(_, Some(pause)) if pause.as_secs() == 3));
    }

    #[test]
    fn what_a_service_says_stays_on_one_line() {
        let body = format!(r#"{{"message":"a\n\u001b[31m{}"}}"#, "x".repeat(1000));
        let Fault::Refused(cause) = answer(400, &body).fault() else { panic!("not refused") };
        assert!(cause.to_string().starts_with("400 Bad Request:  a[31mxxx"));
        assert!(cause.to_string().len() < 400);
    }

    #[test]
    fn only_loopback_goes_without_tls() {
        assert_eq!(base_url("127.0.0.1:8443"), "http://127.0.0.1:8443");
        assert_eq!(base_url("[::1]:1"), "http://[::1]:1");
        assert_eq!(base_url("localhost"), "http://localhost");
        assert_eq!(base_url("localhost.example.com"), "https://localhost.example.com");
        assert_eq!(base_url("v.vault.azure.net"), "https://v.vault.azure.net");
    }
}
