//! Pages for people and language models.

use tests::server::Factory;

#[test]
fn the_front_page_says_how_to_begin() {
    let factory = Factory::start(&[("external-url", "https://factory.example/base/")]).unwrap();
    let page = factory.get("/");
    assert_eq!((page.status, page.header("content-type")), (200, Some("text/html; charset=utf-8")));
    assert!(page.text().contains("https://factory.example/base/schematics"));
    let head = factory.head("/");
    assert_eq!((head.status, head.body.len()), (200, 0));
    assert!(head.header("server").unwrap().contains("Image Factory"));
    // Whatever the query says, a page only shows.
    assert_eq!(factory.get("/?target=metal&version=1.13.0&cmdline=a").status, 200);
    assert_eq!(std::fs::read_dir(factory.data().join("schematics")).map_or(0, Iterator::count), 0);
}

#[test]
fn language_models_get_plain_text() {
    let factory = Factory::start(&[]).unwrap();
    let text = factory.get("/llms.txt");
    assert_eq!((text.status, text.header("content-type")), (200, Some("text/plain; charset=utf-8")));
    assert!(text.text().contains(&format!("POST {}/schematics", factory.url())));
}
