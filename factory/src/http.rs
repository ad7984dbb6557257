//! The route table, all of it.

mod body;
mod cors;
mod disposition;
mod error;
mod evidence;
mod health;
mod images;
mod json;
mod keys;
mod layers;
mod path;
mod pxe;
mod range;
mod registry;
mod schematics;
mod secureboot;
mod signing_key;
mod talosctl;
mod ui;
mod versions;

use std::convert::Infallible;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{Request, Response};
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::{get, post};
use hyper::body::Incoming;
use tower::{Service, ServiceBuilder};
use tower_http::catch_panic::CatchPanicLayer;

use crate::app::App;

/// The application as handlers are given it: one for all, since copying its handles takes longer than most answers.
type Shared = State<Arc<App>>;

/// Who serves what. A route is one line here, one thin handler, and a test from outside.
fn routes() -> Router<Arc<App>> {
    Router::new()
        // Clients that boot, and people who download.
        .route("/image/{schematic}/{version}/{path}", get(images::image))
        .route("/pxe/{schematic}/{version}/{target}", get(pxe::script))
        // Schematics.
        .route("/schematics", post(schematics::create))
        .route("/schematics/{schematic}", get(schematics::read))
        // What there is.
        .route("/versions", get(versions::list))
        .route("/version/{version}/extensions/official", get(versions::extensions))
        .route("/version/{version}/overlays/official", get(versions::overlays))
        .route("/talosctl/{version}", get(talosctl::list))
        .route("/talosctl/{version}/{path}", get(talosctl::program))
        // What is inside.
        .route("/spdx/{schematic}/{version}/{arch}", get(evidence::spdx))
        .route("/vex/{version}/vex.json", get(evidence::vex))
        // Container clients.
        .route("/v2", get(registry::base))
        .route("/v2/{*path}", get(registry::resource))
        // Keys.
        .route("/secureboot/{file}", get(secureboot::file))
        .route("/oci/cosign/signing-key.pub", get(signing_key::public))
        // Operators.
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        // People and language models.
        .route("/", get(ui::landing))
        .route("/llms.txt", get(ui::llms))
}

/// The whole service: the routes and what happens around each of them.
pub fn service(
    app: App,
) -> impl Service<Request<Incoming>, Response = Response<Body>, Error = Infallible, Future: Send>
+ Clone
+ Send
+ 'static {
    let origins = Arc::new(app.config.allowed_origins.clone());
    let router = routes()
        .fallback(layers::no_route)
        .method_not_allowed_fallback(layers::other_method)
        .layer(from_fn_with_state(app.config.timeouts.answer, layers::hurry))
        .layer(CatchPanicLayer::custom(layers::panicked))
        .layer(from_fn_with_state(origins, cors::layer))
        .layer(from_fn(layers::observe))
        .with_state(Arc::new(app));
    // Around the router, since it is the path that is routed.
    ServiceBuilder::new().map_request(path::normalise::<Incoming>).service(router)
}
