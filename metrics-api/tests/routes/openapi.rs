//! `GET /api/openapi.json`, and the committed file that the dashboard's types are made from.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

use crate::Service;

/// The committed document. `UPDATE_OPENAPI=1 cargo test -p metrics-api openapi` writes it anew.
const COMMITTED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi.json");

fn generated() -> Value {
    serde_json::to_value(metrics_api::openapi()).unwrap()
}

#[test]
fn openapi_json_is_what_the_code_says() {
    let text = format!("{:#}\n", generated());
    if std::env::var_os("UPDATE_OPENAPI").is_some() {
        std::fs::write(COMMITTED, &text).expect("the source folder can be written");
    }
    let committed = std::fs::read_to_string(Path::new(COMMITTED)).unwrap_or_default();
    assert!(
        committed == text,
        "metrics-api/openapi.json is stale; run `UPDATE_OPENAPI=1 cargo test -p metrics-api openapi`, then \
         `npm run api` in dashboard/"
    );
}

#[tokio::test]
async fn the_served_document_is_the_same() {
    let service = Service::new();
    assert_eq!(service.get("/api/openapi.json").await.json(), generated());
}

/// The names after `this path takes` in a refusal.
fn taken(refusal: &str) -> BTreeSet<String> {
    let Some((_, names)) = refusal.split_once("(this path takes ") else {
        return BTreeSet::new();
    };
    names
        .trim_end_matches(')')
        .split(", ")
        .filter(|name| *name != "no parameters")
        .map(str::to_owned)
        .collect()
}

#[tokio::test]
async fn every_documented_parameter_is_taken_and_no_other() {
    let service = Service::filled().await;
    let document = generated();
    let mut compared = 0;
    for (path, item) in document["paths"].as_object().unwrap() {
        if !path.starts_with("/api/") {
            continue;
        }
        let parameters = item["get"]["parameters"].as_array().cloned().unwrap_or_default();
        let in_query = |parameter: &&Value| parameter["in"] == "query";
        let documented: BTreeSet<String> = parameters
            .iter()
            .filter(in_query)
            .map(|parameter| parameter["name"].as_str().unwrap().to_owned())
            .collect();
        let required: String = [("metric", "requests"), ("by", "model")]
            .iter()
            .filter(|(name, _)| documented.contains(*name))
            .map(|(name, value)| format!("{name}={value}&"))
            .collect();
        let url = format!("{}?{required}qqqq=1", path.replace("{id}", "r1"));
        let answer = service.get(&url).await;
        assert_eq!(answer.status, 400, "{url}: {}", answer.text);
        let body = answer.json();
        assert_eq!(
            taken(body["error"]["message"].as_str().unwrap()),
            documented,
            "{path}"
        );
        compared += 1;
    }
    assert_eq!(compared, 9, "every path of the API was compared");
}

#[test]
fn every_schema_property_and_parameter_is_described() {
    let document = generated();
    for (name, schema) in document["components"]["schemas"].as_object().unwrap() {
        assert!(schema["description"].is_string(), "{name} has no description");
        let parts = schema["allOf"]
            .as_array()
            .cloned()
            .unwrap_or_else(|| vec![schema.clone()]);
        for (property, shape) in parts
            .iter()
            .filter_map(|part| part["properties"].as_object())
            .flatten()
        {
            let described = shape["description"].is_string() || shape["oneOf"].is_array();
            assert!(described, "{name}.{property} has no description");
        }
    }
}

#[test]
fn every_field_of_a_record_is_defined() {
    let document = serde_json::to_value(metrics_api::openapi()).expect("the document is JSON");
    let schemas = &document["components"]["schemas"];
    // The record is made of parts: schemas of their own, and its own fields.
    let parts = schemas["RequestRecord"]["allOf"]
        .as_array()
        .expect("the record has parts");
    let fields: Vec<&String> = parts
        .iter()
        .map(|part| match part["$ref"].as_str() {
            Some(path) => &schemas[path.rsplit('/').next().unwrap_or_default()],
            None => part,
        })
        .filter_map(|part| part["properties"].as_object())
        .flat_map(serde_json::Map::keys)
        .collect();
    assert!(fields.len() > 50, "{}", fields.len());
    let page = include_str!("../../../docs/metrics.md");
    for field in fields {
        assert!(
            page.contains(&format!("`{field}`")),
            "`{field}` is not in docs/metrics.md"
        );
    }
}
