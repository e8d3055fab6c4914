//! A name server that says what a test tells it to.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use hickory_proto::op::{Message, OpCode, ResponseCode};
use hickory_proto::rr::rdata::SRV;
use hickory_proto::rr::{Name, RData, Record, RecordType};
use tokio::net::UdpSocket;
use tokio::task::AbortHandle;

/// What it does with a question.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Mood {
    /// Answers with the records that it has.
    Answers,
    /// Answers that it cannot.
    Fails,
    /// Says nothing.
    Silent,
}

/// A running name server on UDP.
#[derive(Debug)]
pub(crate) struct NameServer {
    /// Where it is asked.
    pub(crate) address: SocketAddr,
    state: Arc<Mutex<State>>,
    task: AbortHandle,
}

#[derive(Debug)]
struct State {
    mood: Mood,
    records: BTreeMap<String, Vec<RData>>,
    asked: usize,
}

// === impl NameServer ===

impl NameServer {
    pub(crate) async fn start() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.expect("a free port");
        let address = socket.local_addr().expect("it is bound");
        let state = Arc::new(Mutex::new(State {
            mood: Mood::Answers,
            records: BTreeMap::new(),
            asked: 0,
        }));
        let task = tokio::spawn(serve(socket, Arc::clone(&state))).abort_handle();
        Self { address, state, task }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().expect("nobody panics with the records")
    }

    /// The name has these addresses from now on.
    pub(crate) fn addresses(&self, name: &str, addresses: &[&str]) {
        let records = addresses.iter().map(|address| {
            let ip: std::net::IpAddr = address.parse().expect("an address");
            RData::from(ip)
        });
        self.state().records.insert(name.to_owned(), records.collect());
    }

    /// The name has these services from now on: weight, port and target.
    pub(crate) fn services(&self, name: &str, services: &[(u16, u16, &str)]) {
        let records = services.iter().map(|(weight, port, target)| {
            let target = Name::from_utf8(target).expect("a name");
            RData::SRV(SRV::new(0, *weight, *port, target))
        });
        self.state().records.insert(name.to_owned(), records.collect());
    }

    pub(crate) fn is(&self, mood: Mood) {
        self.state().mood = mood;
    }

    /// Questions so far.
    pub(crate) fn asked(&self) -> usize {
        self.state().asked
    }
}

impl Drop for NameServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(socket: UdpSocket, state: Arc<Mutex<State>>) {
    let mut buffer = vec![0; 4_096];
    while let Ok((len, from)) = socket.recv_from(&mut buffer).await {
        let Ok(question) = Message::from_vec(&buffer[..len]) else {
            continue;
        };
        let answer = answer(
            &question,
            &mut state.lock().expect("nobody panics with the records"),
        );
        if let Some(answer) = answer {
            let bytes = answer.to_vec().expect("an answer can be written");
            let _gone = socket.send_to(&bytes, from).await;
        }
    }
}

fn answer(question: &Message, state: &mut State) -> Option<Message> {
    state.asked += 1;
    let query = question.queries.first()?.clone();
    let id = question.metadata.id;
    let mut answer = match state.mood {
        Mood::Silent => return None,
        Mood::Fails => Message::error_msg(id, OpCode::Query, ResponseCode::ServFail),
        Mood::Answers => Message::response(id, OpCode::Query),
    };
    let name = query.name().to_utf8();
    let wanted: RecordType = query.query_type();
    if state.mood == Mood::Answers {
        match state.records.get(name.trim_end_matches('.')) {
            Some(records) => {
                let own = records.iter().filter(|record| record.record_type() == wanted);
                answer.add_answers(
                    own.map(|record| Record::from_rdata(query.name().clone(), 1, record.clone()))
                        .collect::<Vec<_>>(),
                );
            }
            None => answer.metadata.response_code = ResponseCode::NXDomain,
        }
    }
    answer.add_query(query);
    Some(answer)
}
