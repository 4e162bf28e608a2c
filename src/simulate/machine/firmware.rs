//! The machine while its firmware has it: DHCP, and the loader by TFTP. iPXE's and the installer's DHCP go the same way.
//!
//! What does not come is asked for at the client's own pace; what never comes leaves nothing to boot.

use std::time::Duration;

use super::{Failure, Machine, Output, Phase, Stage};
use crate::simulate::{
    dora::{self, Bound, Dora, Who},
    download::{self, Download},
};

impl Machine {
    pub(super) fn power_on(&mut self, now: Duration) {
        self.power_ons += 1;
        self.enter(now, if self.built { Stage::DiskBoot } else { Stage::Dhcp });
        let (arch, waits) = (self.rack.scenario.firmware.arch, &self.rack.scenario.firmware.dhcp_waits);
        let waits = waits.iter().map(|wait| wait.0).collect();
        self.ask_dhcp(now, Who::Firmware(arch), waits);
    }

    pub(super) fn ask_dhcp(&mut self, now: Duration, who: Who, waits: Vec<Duration>) {
        let (dora, packet) = Dora::begin(now, who, &self.host, self.chance.u32(..), self.rack.relay, waits);
        self.phase = Phase::Dora(dora);
        self.out.push(Output::Dhcp(packet));
    }

    pub(super) fn heard_dhcp(&mut self, now: Duration, bytes: &[u8]) {
        if let Phase::Dora(dora) = &mut self.phase {
            let step = dora.heard(now, &self.host, bytes);
            self.leases(now, step);
        }
    }

    pub(super) fn leases(&mut self, now: Duration, step: dora::Step) {
        let Phase::Dora(dora) = &self.phase else { return };
        let waited = dora.waited;
        match step {
            dora::Step::Ignored => {}
            dora::Step::Send(packet) => self.out.push(Output::Dhcp(packet)),
            dora::Step::Again(packet) => {
                self.note("no DHCP answer", waited);
                self.out.push(Output::Dhcp(packet));
            }
            dora::Step::Refused(packet) => {
                self.note("DHCPNAK", Duration::ZERO);
                self.out.push(Output::Dhcp(packet));
            }
            dora::Step::GivenUp(why) => self.nothing_boots(now, Failure::new(why, format!("in {}", self.stage.word()))),
            dora::Step::Bound(bound) => self.leased(now, bound),
        }
    }

    pub(super) fn leased(&mut self, now: Duration, bound: Bound) {
        let Phase::Dora(dora) = &self.phase else { return };
        let who = dora.who().clone();
        self.bound = bound;
        match who {
            Who::Firmware(_) if self.bound.file.is_empty() => self.told_disk(now, "the DHCP answer names no boot file"),
            Who::Firmware(_) => self.load(now),
            Who::Ipxe(_) => self.run_ipxe(now),
            Who::Installer(_) => self.fetch_documents(now),
        }
    }

    /// The firmware fetches what the answer names.
    pub(super) fn load(&mut self, now: Duration) {
        let Some(server) = self.bound.server.filter(|server| self.rack.allowed.contains(server)) else {
            let named = self.bound.server.map_or_else(|| "nobody".to_owned(), |server| server.to_string());
            return self.fail(now, Failure::new("foreign_address", format!("the loader is to come from {named}; --allow would permit it")));
        };
        if self.bound.file.contains("://") {
            return self.nothing_boots(now, Failure::new("no_loader", format!("firmware that loads by TFTP was told {}", self.bound.file)));
        }
        self.enter(now, Stage::Loader);
        let (download, to, packet) = Download::begin(now, &self.bound.file, server, self.rack.tftp_port, &self.rack.scenario.loader);
        self.phase = Phase::Download(download);
        self.out.extend([Output::Open(self.bound.address), Output::Datagram(to, packet)]);
    }

    pub(super) fn downloads(&mut self, now: Duration, step: download::Step) {
        let Phase::Download(download) = &mut self.phase else { return };
        match step {
            download::Step::Ignored => {}
            download::Step::Send(to, packet) => self.out.push(Output::Datagram(to, packet)),
            download::Step::Again(why, to, packet) => {
                let silent = why.starts_with("no ");
                self.note(why, if silent { self.rack.scenario.loader.wait.0 } else { Duration::ZERO });
                self.out.push(Output::Datagram(to, packet));
            }
            download::Step::Probed(to, error) => {
                let (server, request) = download.fetch(now);
                self.out.extend([Output::Datagram(to, error), Output::Open(self.bound.address), Output::Datagram(server, request)]);
            }
            download::Step::Whole(to, ack) => {
                self.out.extend([Output::Datagram(to, ack), Output::Close]);
                self.enter(now, Stage::IpxeDhcp);
                // iPXE: a second, doubled up to ten, as often as a minute needs.
                let waits = [1, 2, 4, 8, 10, 10, 10, 10].map(Duration::from_secs).to_vec();
                self.ask_dhcp(now, Who::Ipxe(self.rack.scenario.firmware.arch), waits);
            }
            download::Step::Refused(code, text) => self.nothing_boots(now, Failure::new("tftp_refused", format!("{code} {text}"))),
            download::Step::GivenUp => {
                let text = format!("{} bytes of {} had come", download.bytes, self.bound.file);
                self.nothing_boots(now, Failure::new("tftp_timeout", text));
            }
            download::Step::WrongSize => self.nothing_boots(now, Failure::new("tftp_wrong_size", self.bound.file.clone())),
        }
    }
}
