//! Flags in, settings out.

use super::*;
use crate::fault::Fault;
use clap::Parser;

#[derive(Debug, Parser)]
struct Cli {
    #[command(flatten)]
    args: Args,
}

fn parse(line: &str) -> Result<Args, clap::Error> {
    Cli::try_parse_from(std::iter::once("simulate").chain(line.split_whitespace())).map(|cli| cli.args)
}

#[test]
fn the_flags_are_consistent() {
    use clap::CommandFactory;
    Cli::command().debug_assert();
}

#[test]
fn replicas_take_neighbouring_ports_and_speeds_in_turn() {
    let args =
        parse("--port 9000 --replicas 4 --ttft 80ms --itl 12ms --tokens 40..400 --speed 1,0.5").unwrap();
    let replicas = args.replicas().unwrap();
    let ports: Vec<u16> = replicas.iter().map(|replica| replica.listen.port()).collect();
    assert_eq!(ports, [9000, 9001, 9002, 9003]);
    let speeds: Vec<f64> = replicas.iter().map(|replica| replica.speed).collect();
    assert_eq!(speeds, [1.0, 0.5, 1.0, 0.5]);
    assert_eq!(replicas[0].ttft, Duration::from_millis(80));
    assert_eq!(replicas[0].tokens, TokenRange { min: 40, max: 400 });
    assert_ne!(replicas[0].seed, replicas[1].seed, "replicas draw on their own");
    assert!(args.load().is_none(), "nobody asked for load");
}

#[test]
fn drive_alone_serves_nothing_and_with_a_port_does_both() {
    let only = parse("--drive http://127.0.0.1:8001 --rate 20 --duration 60s").unwrap();
    assert!(only.replicas().unwrap().is_empty());
    let load = only.load().unwrap();
    assert_eq!(
        load.mode,
        Mode::Open {
            rate: 20.0,
            connections: 512,
            bursts: true
        }
    );
    assert_eq!(load.duration, Some(Duration::from_secs(60)));
    let both = parse("--drive http://127.0.0.1:8001 --replicas 2 --connections 3").unwrap();
    assert_eq!(both.replicas().unwrap().len(), 2);
    assert_eq!(both.load().unwrap().mode, Mode::Closed { connections: 3 });
}

#[test]
fn faults_come_with_rates() {
    let args = parse("--fault cut=0.01 --fault status=503:0.02").unwrap();
    let faults: Vec<Fault> = args.faults.iter().map(|fault| fault.fault).collect();
    assert_eq!(faults, [Fault::Cut(None), Fault::Status(503)]);
}

#[test]
fn what_makes_no_sense_is_refused_by_name() {
    for (line, named) in [
        ("--tokens 9..3", "9..3"),
        ("--ttft 80", "80"),
        ("--rate 5", "--drive"),
        ("--drive http://h:1 --abort-rate 1.5", "1.5"),
        ("--speed 0", "0"),
        ("--fault explode=0.1", "explode"),
        ("--replicas 0", "0"),
        ("--port 0", "0"),
    ] {
        let refusal = parse(line).unwrap_err().to_string();
        assert!(refusal.contains(named), "{line}: {refusal}");
    }
    let refusal = parse("--port 65535 --replicas 2")
        .unwrap()
        .replicas()
        .unwrap_err()
        .to_string();
    assert!(refusal.contains("65535"), "{refusal}");
}
