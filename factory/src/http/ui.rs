//! Pages.

use axum::extract::State;
use axum::http::{HeaderName, header};
use axum::response::Html;
use web::Landing;

use super::Shared;
use super::layers::SERVER;

const CACHE: [(HeaderName, &str); 1] = [(header::CACHE_CONTROL, "no-cache")];

/// `GET /`.
pub(super) async fn landing(State(app): Shared) -> ([(HeaderName, &'static str); 1], Html<String>) {
    let page = Landing { name: SERVER, url: &app.config.external_url };
    (CACHE, Html(page.html()))
}

/// `GET /llms.txt`.
pub(super) async fn llms(State(app): Shared) -> String {
    Landing { name: SERVER, url: &app.config.external_url }.llms()
}
