//! Which pool and which replicas a model leads to.

use serde_json::json;

use super::*;
use crate::clock;
use crate::fleet::settings;
use crate::replicas::{Event, Model};
use crate::routed::Routed;
use crate::settings::PoolSettings;

fn models(names: &[&str]) -> Vec<Model> {
    let model = |name: &&str| Model {
        name: (*name).into(),
        card: Arc::new(json!({"id": name, "max_model_len": 4096})),
    };
    names.iter().map(model).collect()
}

/// A pool of replicas that list these models; `None` has not told.
fn pool(name: &str, first: u8, lists: &[Option<&[&str]>]) -> (PoolSettings, Vec<Option<Vec<Model>>>) {
    let urls: Vec<String> = (0..lists.len())
        .map(|at| format!("http://10.0.{first}.{at}:1"))
        .collect();
    let urls: Vec<&str> = urls.iter().map(String::as_str).collect();
    (
        settings(name, &urls),
        lists.iter().map(|list| list.map(models)).collect(),
    )
}

fn fleet(pools: &[(PoolSettings, Vec<Option<Vec<Model>>>)]) -> Fleet {
    let settings: Vec<_> = pools.iter().map(|(settings, _)| settings.clone()).collect();
    let fleet = Fleet::new(&settings).unwrap();
    for (member, list) in fleet
        .members()
        .iter()
        .zip(pools.iter().flat_map(|(_, lists)| lists))
    {
        member.replica.learn(Event::ProbePassed, clock::now());
        if let Some(list) = list {
            assert!(member.lists(list.clone()), "the first list is news");
            assert!(!member.lists(list.clone()), "the same list is none");
        }
    }
    fleet.models_changed();
    fleet
}

/// `pool: hosts`, with the model's own name behind an alias; `404` for nobody.
fn leads_to(fleet: &Fleet, model: &str) -> String {
    match fleet.destination(Some(&model.into())) {
        Err(UnknownModel) => "404".to_owned(),
        Ok(Destination { pool, rename }) => {
            let hosts: Vec<_> = pool.replicas.iter().map(|replica| &*replica.host).collect();
            let rename = rename.map_or_else(String::new, |real| format!(" as {real}"));
            format!("{}: {}{rename}", pool.name, hosts.join(" "))
        }
    }
}

#[test]
fn a_model_leads_to_the_replicas_that_list_it() {
    let mut chat = pool("chat", 1, &[Some(&["llama", "lora-a"]), Some(&["llama"])]);
    chat.0.aliases = vec![
        ("gpt-4o".into(), "llama".into()),
        ("tuned".into(), "lora-a".into()),
    ];
    let fleet = fleet(&[chat, pool("small", 2, &[Some(&["qwen", "llama", "tiny:latest"])])]);
    for (model, target) in [
        ("llama", "chat: 10.0.1.0 10.0.1.1"),
        ("lora-a", "chat: 10.0.1.0"),
        ("gpt-4o", "chat: 10.0.1.0 10.0.1.1 as llama"),
        ("tuned", "chat: 10.0.1.0 as lora-a"),
        ("qwen", "small: 10.0.2.0"),
        ("tiny", "small: 10.0.2.0"),
        ("tiny:latest", "small: 10.0.2.0"),
        ("gpt-5", "404"),
        ("", "404"),
    ] {
        assert_eq!(leads_to(&fleet, model), target, "for {model:?}");
    }
    for member in fleet.members().iter().take(2) {
        member.replica.unreachable(Event::Refused, clock::now());
    }
    assert_eq!(
        leads_to(&fleet, "llama"),
        "small: 10.0.2.0",
        "who is there comes first"
    );
    assert_eq!(
        leads_to(&fleet, "lora-a"),
        "chat: 10.0.1.0",
        "it may come back, so it is no unknown model"
    );
    let anyone = fleet.destination(None).unwrap();
    assert_eq!(
        &*anyone.pool.name, "small",
        "no model: the first pool that is there"
    );
}

#[test]
fn a_replica_that_has_not_told_may_serve_anything_but_comes_last() {
    let fleet = fleet(&[pool("old", 1, &[None]), pool("new", 2, &[Some(&["llama"]), None])]);
    assert_eq!(leads_to(&fleet, "llama"), "new: 10.0.2.0 10.0.2.1");
    assert_eq!(leads_to(&fleet, "other"), "old: 10.0.1.0");
}

#[test]
fn configured_models_are_the_word() {
    let mut one = pool("one", 1, &[Some(&["listed"])]);
    one.0.models = vec!["named".into()];
    let mut any = pool("any", 2, &[Some(&["llama"])]);
    any.0.models = vec!["*".into()];
    assert_eq!(leads_to(&fleet(&[one.clone()]), "named"), "one: 10.0.1.0");
    assert_eq!(leads_to(&fleet(&[one.clone()]), "listed"), "404");
    assert_eq!(leads_to(&fleet(&[one, any]), "whatever"), "any: 10.0.2.0");
}

#[test]
fn the_catalogue_is_the_union_of_those_that_are_there() {
    let mut chat = pool("chat", 1, &[Some(&["llama", "lora"]), Some(&["llama", "gone"])]);
    chat.0.aliases = vec![("gpt-4o".into(), "llama".into())];
    let mut named = pool("named", 2, &[None]);
    named.0.models = vec!["named".into()];
    let fleet = fleet(&[chat, named, pool("more", 3, &[Some(&["llama", "qwen"])])]);
    fleet.members()[1]
        .replica
        .unreachable(Event::Refused, clock::now());
    let catalogue = fleet.catalogue();
    let names: Vec<_> = catalogue.iter().map(|(name, _)| &**name).collect();
    assert_eq!(names, ["llama", "lora", "gpt-4o", "named", "qwen"]);
    let card = |at: usize| catalogue[at].1.as_ref().map(|card| card["max_model_len"].clone());
    assert_eq!(card(2), Some(4096.into()), "an alias has the card of its model");
    assert_eq!(card(3), None, "no replica has told");
}

#[test]
fn a_view_shares_the_pool_and_follows_a_new_configuration() {
    let chat = pool("chat", 1, &[Some(&["llama", "lora"]), Some(&["llama"])]);
    let fleet = fleet(std::slice::from_ref(&chat));
    let view = fleet.destination(Some(&"lora".into())).unwrap().pool;
    let held = view.admit(&mut Routed::default(), &[], clock::now()).unwrap();
    assert_eq!(fleet.first().unwrap().in_flight(), 1, "one pool, one count");
    let waiting = view.join(1).unwrap();
    assert_eq!(fleet.first().unwrap().waiting(), 1, "one pool, one room");
    drop((held, waiting));
    fleet
        .replace(&[settings("chat", &["http://10.0.9.9:1"])])
        .unwrap();
    let now = fleet.again(&view).unwrap();
    assert_eq!(now.replicas[0].host, "10.0.9.9", "whoever is there now");
}
