//! The end of a server: what runs may finish, and what does not is told.
//!
//! Whoever stands in line when it ends waits for no turn.

use super::*;

#[test]
fn a_closed_desk_ends_what_runs_and_takes_nothing_new() {
    let mut desk = Desk::new(Limits::default());
    serve(&mut desk, peer(2, 1), NONE, 5000, 0);
    leave(&mut desk);
    notices(&mut desk);
    desk.close();
    desk.on_packet(peer(2, 2), LOCAL, read("a", NONE), ms(1)).unwrap();
    desk.on_packet(peer(2, 1), LOCAL, ack(1), ms(1)).unwrap();
    assert_eq!(leave(&mut desk), ["2 error 0 the server is stopping; try again", "1 data 2-2"]);
    desk.stop(ms(2));
    assert_eq!(leave(&mut desk), ["1 error 0 the server stops"]);
    assert_eq!(notices(&mut desk), ["2 a refused stopping", "1 a stopping"]);
    assert_eq!(desk.busy(), 0);
}

#[test]
fn a_stop_in_a_storm_leaves_nobody_waiting_for_a_turn() {
    let mut desk = Desk::new(Limits { per_peer: 256, ..Limits::default() });
    for port in 1..=200 {
        serve(&mut desk, peer(2, port), NONE, 700, 0);
    }
    desk.stop(ms(1));
    let mut told = 0;
    while desk.has_turns() {
        let round = desk.round(64, 0, ms(1)).count();
        assert!(round > 0, "{told} were told, and nobody else comes");
        (0..round).for_each(|_| desk.left(0, ms(1)));
        told += round;
    }
    assert_eq!((told, desk.busy()), (200, 0));
}
