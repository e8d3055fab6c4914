//! Several pools: which replica a model leads to, what the client is told of models, and what replicas see.

use std::time::Duration;

use serde_json::{Value, json};
use simulator::{Settings, Simulator, TokenRange};
use tokio::time::timeout;

use crate::exchange::{Answer, CHAT, Client, post, record, request};
use crate::reload::{File, reload};
use crate::supervisor::{assert_whole, replica as slow, streaming};
use crate::up::{DEADLINE, Up, ask};

/// Time between two looks at what is waited for.
const LOOK: Duration = Duration::from_millis(10);

async fn replica(models: &[&str]) -> Simulator {
    let settings = Settings {
        models: models.iter().map(|&model| model.to_owned()).collect(),
        ttft: Duration::from_millis(1),
        itl: Duration::from_millis(1),
        tokens: TokenRange { min: 2, max: 2 },
        capture: 1,
        ..Settings::default()
    };
    Simulator::start(settings).await.expect("a free port")
}

async fn get(up: &Up, path: &str) -> (bool, Value) {
    let answer = ask(&up.proxy, "GET", path, "").await;
    let body = answer.split_once("\r\n\r\n").expect("a body").1;
    let value = serde_json::from_str(body).unwrap_or_else(|_| panic!("no JSON: {answer}"));
    (answer.starts_with("HTTP/1.1 200"), value)
}

/// Asks for a model and gives the answer back.
async fn chat(up: &Up, id: &str, model: &str) -> Answer {
    post(up, id, &format!(r#"{{"model":"{model}","messages":[]}}"#)).await
}

/// Waits until the replicas have told their models: then the list has so many.
async fn told(up: &Up, models: usize) {
    let listed = async {
        loop {
            let (_, list) = get(up, "/v1/models").await;
            if list["data"].as_array().is_some_and(|data| data.len() == models) {
                return;
            }
            tokio::time::sleep(LOOK).await;
        }
    };
    let waited = timeout(DEADLINE, listed).await;
    assert!(waited.is_ok(), "waited for {models} models; log: {:#?}", up.log());
}

#[tokio::test]
async fn each_model_goes_to_its_pool_and_is_listed_also_when_a_replica_is_down() {
    let (llama, both, qwen) = (
        replica(&["llama"]).await,
        replica(&["llama", "lora"]).await,
        replica(&["qwen"]).await,
    );
    let file = File::new(&format!(
        "pools:\n  - {{name: chat, replicas: ['{}', '{}', 'http://127.0.0.1:9'], aliases: {{gpt: lora}}}}\n  \
         - {{name: small, replicas: ['{}']}}\n",
        llama.url(),
        both.url(),
        qwen.url()
    ));
    let up = file.up().await;
    told(&up, 4).await;

    for _ in 0..4 {
        assert_eq!(chat(&up, "lora", "lora").await.status, 200);
    }
    assert_eq!(
        (llama.stats().completed(), both.stats().completed()),
        (0, 4),
        "only one of the two lists it"
    );
    assert_eq!(chat(&up, "qwen", "qwen").await.status, 200);
    assert_eq!(qwen.stats().completed(), 1);
    assert_eq!(record(&up, "qwen").await["pool"], "small");

    let missing = chat(&up, "missing", "gpt-5").await;
    let error: Value = serde_json::from_slice(&missing.body).expect("JSON");
    let error = &error["error"];
    assert_eq!(missing.status, 404);
    assert_eq!(
        (&error["type"], &error["param"], &error["code"]),
        (
            &json!("invalid_request_error"),
            &json!("model"),
            &json!("model_not_found")
        )
    );
    assert!(
        error["message"]
            .as_str()
            .is_some_and(|text| text.contains("gpt-5")),
        "{error}"
    );
    assert_eq!(record(&up, "missing").await["outcome"], "client_error");

    let (fine, list) = get(&up, "/v1/models").await;
    let names: Vec<_> = list["data"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|entry| &entry["id"])
        .collect();
    assert!(fine && names == ["llama", "lora", "gpt", "qwen"], "{list}");
    let (fine, entry) = get(&up, "/v1/models/gpt").await;
    assert!(
        fine && entry["id"] == "gpt" && entry["object"] == "model",
        "{entry}"
    );
    assert!(!get(&up, "/v1/models/nothing").await.0, "404");
    assert!(up.stop().await.success());
}

#[tokio::test]
async fn an_alias_changes_the_name_and_no_other_byte() {
    let replica = replica(&["meta/llama \"3\""]).await;
    let file = File::new(&format!(
        "pools: [{{replicas: ['{}'], aliases: {{gpt-4o: 'meta/llama \"3\"'}}}}]\n",
        replica.url()
    ));
    let up = file.up().await;
    told(&up, 2).await;
    let body = concat!(
        r#"{ "messages" : [{"role":"user","content":"\"model\":\"gpt-4o\" é"}],"#,
        "\n\t",
        r#""model" :"gpt\u002d4o" , "stream":true }"#,
    );
    let mut client = Client::connect(&up.proxy).await;
    client.send(request(CHAT, "alias", body)).await;
    assert_eq!(client.end().await.status, 200);
    let seen = replica.requests().last().expect("a request").body.clone();
    let expected = body
        .replace("\"gpt\\u002d4o\"", "\"meta/llama \\\"3\\\"\"")
        .replace("true }", "true ,\"stream_options\":{\"include_usage\":true}}");
    assert_eq!(String::from_utf8_lossy(&seen), expected);
    let record = record(&up, "alias").await;
    assert_eq!(
        (&record["model_requested"], &record["model"]),
        (&json!("gpt-4o"), &json!("meta/llama \"3\"")),
        "what was asked for, and what answered"
    );
    assert!(up.stop().await.success());
}

#[tokio::test]
async fn an_alias_finds_what_is_cached_under_the_models_own_name() {
    let replica = replica(&["llama"]).await;
    let file = File::new(&format!(
        "pools: [{{replicas: ['{}'], aliases: {{gpt: llama}}}}]\n",
        replica.url()
    ));
    let up = file.up().await;
    told(&up, 2).await;
    let text = "a long beginning that both share. ".repeat(100);
    for (id, model, matched) in [("own", "llama", 0), ("alias", "gpt", 3)] {
        let body = format!(r#"{{"model":"{model}","messages":[{{"role":"user","content":"{text}"}}]}}"#);
        assert_eq!(post(&up, id, &body).await.status, 200);
        let record = record(&up, id).await;
        assert_eq!(record["matched_blocks"], json!(matched), "{record}");
    }
    assert!(up.stop().await.success());
}

#[tokio::test]
async fn a_replica_that_is_drained_gets_nothing_new_and_keeps_what_it_has() {
    let (first, second) = (slow().await, slow().await);
    let text = |drained: [bool; 2]| {
        let [one, two] = drained;
        format!(
            "pools: [{{replicas: [{{url: '{}', drain: {one}}}, {{url: '{}', drain: {two}}}]}}]\n",
            first.url(),
            second.url()
        )
    };
    let file = File::new(&text([false, true]));
    let up = file.up().await;
    let stream = streaming(&up, &first).await;
    file.write(&text([true, false]));
    reload(&up).await;
    for nth in 0..2 {
        assert_eq!(chat(&up, "new", "m").await.status, 200, "request {nth}");
    }
    assert_whole(stream).await;
    assert_eq!(second.stats().completed(), 2, "all new ones");
    assert_eq!(first.stats().completed(), 1, "what it had");
    let shown = async {
        loop {
            let replicas = ask(&up.api, "GET", "/api/v1/replicas", "").await;
            if replicas.contains(r#""state":"draining""#) {
                return;
            }
            tokio::time::sleep(LOOK).await;
        }
    };
    assert!(
        timeout(DEADLINE, shown).await.is_ok(),
        "waited for the state in the API"
    );
    assert!(up.stop().await.success());
}
