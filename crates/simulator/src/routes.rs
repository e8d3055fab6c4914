//! What each path answers, and the loop of one connection.

use std::sync::Arc;

use tokio::net::TcpStream;

use crate::ask::Kind;
use crate::emit::{self, Stop};
use crate::exposition;
use crate::generate;
use crate::replica::Replica;
use crate::wire::{Gone, NoRequest, Received, Wire};

/// Version of vLLM whose behaviour is simulated.
const VERSION: &str = "0.33.0";

/// Serves one connection until it ends.
pub(crate) async fn serve(replica: Arc<Replica>, stream: TcpStream) {
    replica.stats.connections.add(1);
    let _open = replica.stats.open_connections.hold(1);
    let mut wire = Wire::new(stream);
    loop {
        let request = match wire.read_request(replica.settings.keep_alive).await {
            Ok(request) => request,
            Err(NoRequest::Closed) => return,
            Err(NoRequest::Invalid) => {
                let answer = emit::whole(400, "text/plain", "", "Invalid HTTP request received.", true);
                // The client that sent this is not owed a second try.
                let _ = wire.send(answer.as_bytes()).await;
                return;
            }
        };
        replica.stats.requests.add(1);
        replica.capture(&request);
        if answer(&replica, &mut wire, &request).await.is_err() || request.closes() {
            return;
        }
    }
}

async fn answer(replica: &Replica, wire: &mut Wire, request: &Received) -> Result<(), Stop> {
    let path = request.target().split('?').next().unwrap_or("");
    let generation = match path {
        "/v1/chat/completions" => Some(Kind::Chat),
        "/v1/completions" => Some(Kind::Text),
        "/v1/embeddings" => Some(Kind::Embedding),
        _ => None,
    };
    match (request.method(), generation) {
        ("POST", Some(kind)) => generate::serve(replica, wire, request, kind).await,
        (_, Some(_)) => Ok(refuse_method(wire, request, "POST").await?),
        ("GET", None) => Ok(look(replica, wire, request, path).await?),
        (_, None) if matches!(path, "/health" | "/v1/models" | "/version" | "/metrics") => {
            Ok(refuse_method(wire, request, "GET").await?)
        }
        _ => Ok(not_found(wire, request).await?),
    }
}

async fn look(replica: &Replica, wire: &mut Wire, request: &Received, path: &str) -> Result<(), Gone> {
    let closes = request.closes();
    let answer = match path {
        "/health" => emit::whole(if replica.healthy() { 200 } else { 503 }, "", "", "", closes),
        "/v1/models" => emit::whole(200, "application/json", "", &models(replica), closes),
        "/version" => emit::whole(
            200,
            "application/json",
            "",
            &format!("{{\"version\":\"{VERSION}\"}}"),
            closes,
        ),
        "/metrics" => {
            let content_type = "text/plain; version=1.0.0; charset=utf-8";
            emit::whole(200, content_type, "", &exposition::render(replica), closes)
        }
        _ => return not_found(wire, request).await,
    };
    wire.send(answer.as_bytes()).await
}

async fn not_found(wire: &mut Wire, request: &Received) -> Result<(), Gone> {
    let answer = emit::whole(
        404,
        "application/json",
        "",
        "{\"detail\":\"Not Found\"}",
        request.closes(),
    );
    wire.send(answer.as_bytes()).await
}

async fn refuse_method(wire: &mut Wire, request: &Received, allowed: &str) -> Result<(), Gone> {
    // The answer to a HEAD must have no body; its length line may stay.
    let body = "{\"detail\":\"Method Not Allowed\"}";
    let extra = format!("allow: {allowed}\r\n");
    let mut answer = emit::whole(405, "application/json", &extra, body, request.closes());
    if request.method() == "HEAD" {
        answer.truncate(answer.len() - body.len());
    }
    wire.send(answer.as_bytes()).await
}

fn models(replica: &Replica) -> String {
    let cards: Vec<serde_json::Value> = replica
        .settings
        .models
        .iter()
        .map(|model| {
            serde_json::json!({
                "id": model, "object": "model", "created": replica.started, "owned_by": "vllm", "root": model,
                "parent": null, "max_model_len": 131_072, "permission": [],
            })
        })
        .collect();
    serde_json::json!({ "object": "list", "data": cards }).to_string()
}
