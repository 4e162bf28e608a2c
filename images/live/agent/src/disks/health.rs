//! What a disk says of its own health, by `smartctl -j -H -A`.
//!
//! A disk that says nothing has no health, which is not bad health. Its own verdict is passed on and never judged here. Kinds of disks that
//! have no such thing (virtio, MMC, persistent memory) are not asked.

use serde_json::Value;

use super::{Found, Problem, told};
use crate::{contract::DiskHealth, machine::Machine};

/// Bits of smartctl's exit code that are states of the disk (3–7) or a command that failed beside others (2); 0 and 1 are failures.
/// A USB bridge that smartctl does not know (1) says nothing of the disk behind it, as most sticks do.
pub fn exits_with_an_answer(transport: &str) -> Vec<i32> {
    (0..256).filter(|code| code & 0b11 == 0 || (transport == "usb" && *code == 1)).collect()
}

/// Asks it; errors are problems of the collector `health`.
pub fn of(machine: &dyn Machine, found: &Found, problems: &mut Vec<Problem>) -> Option<DiskHealth> {
    let asked = found.is_ata || ["nvme", "sas", "scsi", "usb"].contains(&found.disk.transport.as_str());
    if !asked {
        return None;
    }
    let said = told(machine, "smartctl", &["-j", "-H", "-A", &found.node()], &exits_with_an_answer(&found.disk.transport));
    let read = said.and_then(|text| read(&text).ok_or_else(|| "smartctl says nothing that can be read".to_owned()));
    match read {
        Ok(health) => Some(health).filter(|health| *health != DiskHealth::default()),
        Err(text) => {
            problems.push(Problem { collector: "health", text: format!("{}: {text}", found.disk.name) });
            None
        }
    }
}

/// Reads its JSON.
pub fn read(text: &str) -> Option<DiskHealth> {
    let said: Value = serde_json::from_str(text).ok()?;
    let at = |path: &str| said.pointer(path);
    let number = |path: &str| at(path).and_then(Value::as_u64);
    let small = |path: &str| number(path).and_then(|number| u32::try_from(number).ok());
    let wear = small("/nvme_smart_health_information_log/percentage_used")
        .or_else(|| small("/endurance_used/current_percent"))
        .or_else(|| small("/scsi_percentage_used_endurance_indicator"))
        .or_else(|| wear_of_attributes(at("/ata_smart_attributes/table")?.as_array()?));
    Some(DiskHealth {
        passed: at("/smart_status/passed").and_then(Value::as_bool),
        power_on_hours: number("/power_on_time/hours"),
        wear_percent: wear,
        celsius: at("/temperature/current").and_then(Value::as_i64).and_then(|degrees| i32::try_from(degrees).ok()),
    })
}

/// ATA has no one place for wear. These attributes count down from 100 on the makers' disks that have them, the surest first.
fn wear_of_attributes(table: &[Value]) -> Option<u32> {
    const LEFT: [(u64, &str); 4] =
        [(233, "Media_Wearout_Indicator"), (231, "SSD_Life_Left"), (202, "Percent_Lifetime_Remain"), (177, "Wear_Leveling_Count")];
    LEFT.iter().find_map(|(id, name)| {
        let row =
            table.iter().find(|row| row.get("id").and_then(Value::as_u64) == Some(*id) && row.get("name").and_then(Value::as_str) == Some(name))?;
        let left = u32::try_from(row.get("value")?.as_u64()?).ok()?;
        (1..=100).contains(&left).then(|| 100 - left)
    })
}
