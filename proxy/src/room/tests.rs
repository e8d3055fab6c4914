//! Who is called, who is not, and that no place is lost between them.

use std::sync::atomic::AtomicI64;
use std::time::Duration;

use tokio::time::timeout;

use super::*;

/// Longest wait for something that is there already.
const AT_ONCE: Duration = Duration::from_secs(5);

fn room(len_max: usize) -> Arc<Room<u32>> {
    Arc::new(Room::new(len_max))
}

async fn called(place: &mut Place<u32>) -> Option<u32> {
    match timeout(AT_ONCE, place.called()).await.expect("a call") {
        Called::In(place) => Some(place),
        Called::Out => None,
    }
}

#[tokio::test]
async fn a_place_goes_to_exactly_one_waiter() {
    let room = room(10);
    assert_eq!(room.offer(1), Err(1), "nobody waits");
    let mut first = room.join(7, |_| true).unwrap();
    let mut second = room.join(7, |_| true).unwrap();
    assert_eq!(room.waiting(), 2);
    room.offer(1).unwrap();
    assert_eq!(called(&mut first).await, Some(1));
    assert_eq!(room.waiting(), 1);
    let quiet = timeout(Duration::from_millis(1), second.called()).await;
    assert!(quiet.is_err(), "one place wakes one waiter");
    room.offer(2).unwrap();
    assert_eq!(called(&mut second).await, Some(2));
}

#[tokio::test]
async fn whoever_left_is_passed_over() {
    let room = room(10);
    let gone = room.join(1, |_| true).unwrap();
    let mut there = room.join(1, |_| true).unwrap();
    drop(gone);
    assert_eq!(room.waiting(), 1);
    room.offer(5).unwrap();
    assert_eq!(called(&mut there).await, Some(5));
}

#[tokio::test]
async fn a_place_that_suits_nobody_comes_back() {
    let room = room(10);
    let mut picky = room.join(1, |place| *place > 10).unwrap();
    assert_eq!(room.offer(3), Err(3));
    room.offer(11).unwrap();
    assert_eq!(called(&mut picky).await, Some(11));
}

#[tokio::test]
async fn whoever_has_to_go_is_told() {
    let room = room(2);
    let _first = room.join(1, |_| true).unwrap();
    let mut second = room.join(1, |_| true).unwrap();
    let _other = room.join(2, |_| true).unwrap();
    assert_eq!(called(&mut second).await, None);
    assert_eq!(room.waiting(), 2);
    assert_eq!(room.join(1, |_| true).unwrap_err(), Full::Key);
}

/// A place that counts itself, as the guard of a replica does.
#[derive(Debug)]
struct Counted(Arc<AtomicI64>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, SeqCst);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_place_is_lost_between_waiters_that_come_and_go() {
    let room: Arc<Room<Counted>> = Arc::new(Room::new(1_000));
    let held = Arc::new(AtomicI64::new(0));
    let mut tasks = Vec::new();
    for key in 0..200_u64 {
        let room = Arc::clone(&room);
        tasks.push(tokio::spawn(async move {
            let mut place = room.join(key % 7, |_| true).unwrap();
            if key % 3 == 0 {
                // Leaves, perhaps in the very moment of its call.
                tokio::task::yield_now().await;
                return;
            }
            let _called = place.called().await;
        }));
    }
    let offers = async {
        while !tasks.iter().all(tokio::task::JoinHandle::is_finished) {
            held.fetch_add(1, SeqCst);
            let _back = room.offer(Counted(Arc::clone(&held)));
            tokio::task::yield_now().await;
        }
    };
    timeout(Duration::from_secs(20), offers)
        .await
        .expect("everybody is called");
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!((room.waiting(), held.load(SeqCst)), (0, 0));
}
