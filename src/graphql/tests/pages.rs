use super::*;
use crate::graphql::page::{Example, StartPage};

async fn get(app: &Router, path: &str) -> Answer {
    send(app, Request::get(path).body(Body::empty()).unwrap()).await
}

fn development() -> Router {
    app(|settings| {
        let example = Example {
            title: "Who am I".to_owned(),
            document: "{ caller }".to_owned(),
            variables: String::new(),
        };
        settings.development = Some(StartPage {
            examples: vec![example],
            ..StartPage::default()
        });
    })
}

#[tokio::test]
async fn development_has_a_start_page_an_ide_and_the_schema() {
    let app = development();
    assert!(get(&app, "/").await.text.contains("{ caller }"));
    assert!(
        get(&app, "/schema.graphql")
            .await
            .text
            .contains("type Query")
    );
    let index = get(&app, "/graphiql").await;
    let files = index
        .text
        .split(['"'])
        .filter(|part| part.ends_with(".js") || part.ends_with(".css"));
    let mut seen = 0;
    for path in files.chain(["/start.css", "/start.js"]) {
        let file = get(&app, path).await;
        assert_eq!(file.status, StatusCode::OK, "{path}");
        let kind = if path.ends_with(".css") {
            "text/css"
        } else {
            "text/javascript"
        };
        assert!(file.header("content-type").starts_with(kind));
        assert_eq!(
            file.header("cache-control").contains("immutable"),
            path.contains("/3.")
        );
        seen += 1;
    }
    assert_eq!(seen, 8);
    for page in ["/", "/graphiql"] {
        let policy = get(&app, page)
            .await
            .header("content-security-policy")
            .to_owned();
        assert!(
            policy.starts_with("default-src 'none'; script-src 'self';"),
            "{policy}"
        );
    }
}

#[tokio::test]
async fn production_has_none_of_it() {
    let app = app(|_| ());
    for path in [
        "/",
        "/graphiql",
        "/graphiql/boot.js",
        "/start.js",
        "/schema.graphql",
    ] {
        assert_eq!(
            get(&app, path).await.status,
            StatusCode::NOT_FOUND,
            "{path}"
        );
    }
}
