//! The processors: model, sockets, cores, threads.
//!
//! Counted in the kernel's topology files, which are the same on x86 and ARM; only processors that are switched on are counted. The
//! model's name is in `/proc/cpuinfo` on x86 and with `lscpu` on ARM.

use std::collections::BTreeSet;

use crate::{contract::Cpu, machine::Machine};

use super::{
    Found,
    tool::{Problems, output, value},
};

const CPUS: &str = "/sys/devices/system/cpu";

/// The collector.
pub fn look(machine: &dyn Machine) -> Found {
    let mut problems = Problems::of("cpu");
    let names = problems.take(machine.list(CPUS).map_err(|error| format!("{CPUS}: {error}"))).unwrap_or_default();
    let (mut sockets, mut cores, mut threads) = (BTreeSet::new(), BTreeSet::new(), 0);
    for name in names.iter().filter(|name| is_cpu(name)) {
        let word = |file: &str| machine.word(&format!("{CPUS}/{name}/topology/{file}"));
        // A thread that is switched off has no topology.
        let Some(socket) = word("physical_package_id") else { continue };
        // Kernels before 4.18 have the older name alone.
        let core = word("core_cpus_list").or_else(|| word("thread_siblings_list")).unwrap_or_else(|| name.clone());
        sockets.insert(socket);
        cores.insert(core);
        threads += 1;
    }
    if threads == 0 {
        problems.add(format!("{CPUS} shows no processor with a topology"));
    }
    let model = match model(machine) {
        Some(model) => model,
        None => problems.take(output(machine, "lscpu", &[], 5)).as_deref().and_then(|text| value(text, "Model name")).unwrap_or_default().to_owned(),
    };
    let architecture = std::env::consts::ARCH.to_owned();
    let count = |set: &BTreeSet<String>| u32::try_from(set.len()).unwrap_or(u32::MAX);
    let cpu = Cpu { architecture, model, sockets: count(&sockets), cores: count(&cores), threads };
    Found::new(move |facts| facts.cpu = cpu.clone(), problems.list())
}

fn is_cpu(name: &str) -> bool {
    name.strip_prefix("cpu").is_some_and(|number| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()))
}

fn model(machine: &dyn Machine) -> Option<String> {
    let text = machine.word("/proc/cpuinfo")?;
    let name = value(&text, "model name")?.split_whitespace().collect::<Vec<_>>().join(" ");
    (!name.is_empty()).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{facts::tests::facts_of, machine::recorded::Recorded};

    /// Two sockets of two cores of two threads, numbered as Linux does on Xeons; one thread is switched off.
    fn two_sockets() -> Recorded {
        let mut machine = Recorded::new().file("/sys/devices/system/cpu/cpufreq/policy0", "").file("/sys/devices/system/cpu/online", "0-6\n");
        for cpu in 0..7 {
            let (socket, core) = (cpu / 2 % 2, cpu % 4);
            machine = machine
                .file(&format!("{CPUS}/cpu{cpu}/topology/physical_package_id"), format!("{socket}\n"))
                .file(&format!("{CPUS}/cpu{cpu}/topology/core_cpus_list"), format!("{core},{}\n", core + 4));
        }
        machine.file(&format!("{CPUS}/cpu7/hotplug/state"), "0\n")
    }

    #[test]
    fn sockets_cores_and_threads_are_counted() {
        let facts = facts_of(look(
            &two_sockets().file("/proc/cpuinfo", "processor\t: 0\nmodel name\t: Intel(R) Xeon(R)  Gold 6338 CPU @ 2.00GHz\nflags\t\t: fpu\n"),
        ));
        assert_eq!((facts.cpu.sockets, facts.cpu.cores, facts.cpu.threads), (2, 4, 7));
        assert_eq!(facts.cpu.model, "Intel(R) Xeon(R) Gold 6338 CPU @ 2.00GHz");
        assert_eq!(facts.collectors[0].error, None);
    }

    #[test]
    fn arm_names_its_model_by_lscpu() {
        let machine = two_sockets().file("/proc/cpuinfo", "processor\t: 0\nCPU implementer\t: 0x41\n");
        assert_eq!(facts_of(look(&machine)).collectors[0].error.as_deref(), Some("there is no program lscpu here"));
        let machine = machine.program("lscpu", "Architecture:  aarch64\nVendor ID:     ARM\n  Model name:  Neoverse-N1\n");
        assert_eq!(facts_of(look(&machine)).cpu.model, "Neoverse-N1");
    }

    #[test]
    fn no_topology_is_an_error_and_no_zero_in_silence() {
        let error = facts_of(look(&Recorded::new().file("/proc/cpuinfo", "model name : x\n"))).collectors[0].error.clone().unwrap();
        assert!(error.contains("/sys/devices/system/cpu") && error.contains("no processor"), "{error}");
    }
}
