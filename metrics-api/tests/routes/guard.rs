//! The token, CORS, and the headers that every answer has.

use axum::http::Method;

use crate::Service;

fn guarded() -> Service {
    Service::with(|settings| {
        settings.token = Some("s3cret".to_owned());
        settings.cors_origins = vec!["https://ops.example".to_owned()];
    })
}

#[tokio::test]
async fn with_a_token_everything_but_the_probes_needs_it() {
    let service = guarded();
    for path in [
        "/",
        "/assets/x.js",
        "/metrics",
        "/api/v1/summary",
        "/api/v1/live",
        "/api/openapi.json",
        "/api/x",
    ] {
        assert_eq!(service.get(path).await.status, 401, "{path}");
        let wrong = service
            .send(Method::GET, path, &[("authorization", "Bearer s3cres")])
            .await;
        assert_eq!(wrong.status, 401, "{path}");
    }
    assert_eq!(service.get("/healthz").await.status, 200);
    assert_eq!(service.get("/readyz").await.status, 503, "open, and honest");
}

#[tokio::test]
async fn the_token_opens_as_bearer_and_as_a_browsers_password() {
    let service = guarded();
    // `streamgauge:s3cret` in Base64.
    for value in ["Bearer s3cret", "Basic c3RyZWFtZ2F1Z2U6czNjcmV0"] {
        let answer = service
            .send(Method::GET, "/api/v1/summary", &[("authorization", value)])
            .await;
        assert_eq!(answer.status, 200, "{value}");
    }
}

#[tokio::test]
async fn a_refusal_says_how_to_come_in() {
    let answer = guarded().get("/api/v1/summary").await;
    insta::assert_snapshot!(answer.shown());
    let challenges: Vec<&str> = answer
        .headers
        .get_all("www-authenticate")
        .iter()
        .map(|value| value.to_str().unwrap())
        .collect();
    assert_eq!(
        challenges,
        ["Bearer", "Basic realm=\"streamgauge\", charset=\"UTF-8\""]
    );
}

#[tokio::test]
async fn listed_origins_may_ask_and_others_may_not() {
    let service = guarded();
    let preflight = async |origin: &str| {
        let headers = [
            ("origin", origin),
            ("access-control-request-method", "GET"),
            ("access-control-request-headers", "authorization"),
        ];
        service.send(Method::OPTIONS, "/api/v1/summary", &headers).await
    };
    let allowed = preflight("https://ops.example").await;
    assert_eq!(allowed.status, 200, "a preflight carries no token");
    assert_eq!(
        allowed.header("access-control-allow-origin"),
        "https://ops.example"
    );
    assert_eq!(allowed.header("access-control-allow-headers"), "authorization");
    let other = preflight("https://evil.example").await;
    assert_eq!(other.header("access-control-allow-origin"), "");
    let none = Service::new()
        .send(
            Method::GET,
            "/api/v1/summary",
            &[("origin", "https://ops.example")],
        )
        .await;
    assert_eq!(
        none.header("access-control-allow-origin"),
        "",
        "nobody is allowed unless listed"
    );
}

#[tokio::test]
async fn every_answer_has_the_security_headers() {
    let service = Service::filled().await;
    for path in [
        "/",
        "/api/v1/summary",
        "/api/v1/summary?x=1",
        "/api/x",
        "/metrics",
        "/healthz",
    ] {
        let answer = service.get(path).await;
        let policy = answer.header("content-security-policy");
        assert!(policy.starts_with("default-src 'self'; "), "{path}");
        assert!(policy.contains("frame-ancestors 'none'"), "{path}");
        assert!(
            !policy.contains("script-src"),
            "scripts are ours alone, by the default: {path}"
        );
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(answer.header("x-frame-options"), "DENY", "{path}");
        assert_eq!(answer.header("referrer-policy"), "no-referrer", "{path}");
        assert_ne!(answer.header("cache-control"), "", "{path}");
    }
}

#[tokio::test]
async fn only_reading_is_possible() {
    let service = Service::new();
    for method in [Method::POST, Method::PUT, Method::DELETE, Method::PATCH] {
        for path in ["/api/v1/summary", "/", "/metrics", "/nowhere"] {
            let answer = service.send(method.clone(), path, &[]).await;
            assert_eq!(answer.status, 405, "{method} {path}");
            assert_eq!(
                answer.json()["error"]["code"],
                "method_not_allowed",
                "{method} {path}"
            );
        }
    }
    let head = service.send(Method::HEAD, "/api/v1/summary", &[]).await;
    assert_eq!((head.status.as_u16(), head.text.as_str()), (200, ""));
}
