//! `GET /` and the dashboard's files, with and without a built dashboard.

use axum::http::Method;

use crate::Service;

/// The hashed files that the embedded page loads; `None` in a build without the dashboard.
async fn embedded_assets(service: &Service) -> Option<Vec<String>> {
    let page = service.get("/").await;
    let found = page.text.split('"').filter(|text| text.starts_with("/assets/"));
    (page.status == 200).then(|| found.map(str::to_owned).collect())
}

#[tokio::test]
async fn the_page_is_there_or_says_how_to_build_it() {
    let service = Service::new();
    let is_built = embedded_assets(&service).await.is_some();
    for path in ["/", "/requests", "/replicas/10.0.0.1:8000"] {
        let answer = service.get(path).await;
        assert_eq!(
            answer.header("content-type"),
            "text/html; charset=utf-8",
            "{path}"
        );
        if is_built {
            assert_eq!(answer.status, 200, "{path}");
            assert_eq!(answer.header("cache-control"), "no-cache", "{path}");
        } else {
            assert_eq!(answer.status, 404, "{path}");
            assert!(answer.text.contains("npm run build"), "{path}: {}", answer.text);
        }
    }
}

#[tokio::test]
async fn hashed_files_are_kept_for_ever_and_known_ones_are_not_sent_again() {
    let service = Service::new();
    let Some(paths) = embedded_assets(&service).await else {
        // Without a dashboard there is no file, and the path must not become a page.
        assert_eq!(service.get("/assets/index.js").await.status, 404);
        return;
    };
    assert!(
        paths.iter().any(|path| path.ends_with(".js")),
        "the page loads a script: {paths:?}"
    );
    for path in paths {
        let first = service.get(&path).await;
        assert_eq!(first.status, 200, "{path}");
        assert_eq!(
            first.header("cache-control"),
            "public, max-age=31536000, immutable",
            "{path}"
        );
        let kind = if path.ends_with(".js") {
            "text/javascript"
        } else {
            "text/css"
        };
        assert_eq!(
            first.header("content-type"),
            format!("{kind}; charset=utf-8"),
            "{path}"
        );
        let tag = first.header("etag");
        assert!(tag.starts_with("W/\""), "{path}: {tag}");
        let again = service.send(Method::GET, &path, &[("if-none-match", tag)]).await;
        assert_eq!((again.status.as_u16(), again.text.as_str()), (304, ""), "{path}");
        assert_eq!(again.header("etag"), tag, "{path}");
        let changed = service
            .send(Method::GET, &path, &[("if-none-match", "W/\"other\"")])
            .await;
        assert_eq!(changed.status, 200, "{path}");
    }
}

#[tokio::test]
async fn missing_files_and_unknown_api_paths_do_not_become_the_page() {
    let service = Service::new();
    for path in ["/assets/gone-1234.js", "/favicon.gone.ico", "/robots.txt"] {
        let answer = service.get(path).await;
        assert_eq!(answer.status, 404, "{path}");
        assert!(!answer.text.contains("<html"), "{path}");
    }
    for path in ["/api", "/api/", "/api/v1", "/api/v1/summaries", "/api/v2/summary"] {
        let answer = service.get(path).await;
        assert_eq!(answer.status, 404, "{path}");
        assert_eq!(answer.json()["error"]["code"], "not_found", "{path}");
    }
}

#[tokio::test]
async fn no_path_leads_out_of_the_embedded_folder() {
    let service = Service::new();
    for path in [
        "/../Cargo.toml",
        "/assets/../../package.json",
        "/..%2f..%2fCargo.toml",
        "//etc/passwd",
    ] {
        let answer = service.get(path).await;
        assert!(!answer.text.contains("[package]"), "{path}");
        assert!(!answer.text.contains("\"dependencies\""), "{path}");
        assert!(!answer.text.contains("root:"), "{path}");
    }
}
