"""inventory - hosts as the render row's Python peers find them: a relational database, a handful of small queries for each request.

That is what an ORM does for a page like this; plain SQL spares the peers the ORM's own cost. `make` writes the database (hosts.db)
and, for the stand-in of Cobbler, one JSON file per item.
"""
import json, os, sqlite3

TABLES = """
create table hosts(id integer primary key, mac text unique, name text, profile text);
create table nics(id integer primary key, host_id int, name text, mac text, address text, managed int, vlan int, mtu int, mask text, prefix int, gateway text);
create index nics_host on nics(host_id);
create table facts(id integer primary key, host_id int, name text, value text); create index facts_host on facts(host_id);
create table params(id integer primary key, name text, value text);
create table volumes(id integer primary key, mount text, name text, type text, size int);
create table packages(id integer primary key, name text);
create table templates(id integer primary key, name text unique, body text);
"""
NICS = "name mac address managed vlan mtu mask prefix gateway".split()


def make(folder, count, mac_of, params_of, defaults):
    path = f"{folder}/hosts.db"
    if os.path.exists(path):
        os.unlink(path)
    base = sqlite3.connect(path)
    base.executescript(TABLES)
    base.executemany("insert into params(name, value) values(?, ?)", [(name, value) for name, value in defaults.items() if isinstance(value, str)])
    base.executemany("insert into volumes(mount, name, type, size) values(:mount, :name, :type, :size)", defaults["volumes"])
    base.executemany("insert into packages(name) values(?)", [(name,) for name in defaults["packages"]])
    here = os.path.dirname(os.path.abspath(__file__))
    for name in ("script", "kickstart"):
        base.execute("insert into templates(name, body) values(?, ?)", (name, open(f"{here}/{name}.erb").read()))
    os.makedirs(f"{folder}/systems", exist_ok=True)
    for number in range(count):
        name, mac, params = f"n{number:05d}", mac_of(number), params_of(number)
        base.execute("insert into hosts values(?, ?, ?, 'bench')", (number, mac, name))
        for nic in params["nics"]:
            base.execute(f"insert into nics(host_id, {', '.join(NICS)}) values({number}, {', '.join('?' * len(NICS))})", [nic[key] for key in NICS])
        base.executemany(f"insert into facts(host_id, name, value) values({number}, :name, :value)", params["facts"])
        with open(f"{folder}/systems/{name}.json", "w") as out:
            json.dump({"name": name, "mac": mac, "profile": "bench", "params": params}, out)
    base.commit()
    with open(f"{folder}/settings.json", "w") as out:
        json.dump(defaults, out)


def connect(folder):
    base = sqlite3.connect(f"{folder}/hosts.db", check_same_thread=False)
    base.row_factory = sqlite3.Row
    return base


def load(base, mac):
    host = base.execute("select * from hosts where mac = ?", (mac,)).fetchone()
    if not host:
        return None
    params = {row["name"]: row["value"] for row in base.execute("select name, value from params")}
    params["nics"] = [dict(row) for row in base.execute("select * from nics where host_id = ? order by id", (host["id"],))]
    params["facts"] = [dict(row) for row in base.execute("select name, value from facts where host_id = ? order by id", (host["id"],))]
    params["volumes"] = [dict(row) for row in base.execute("select * from volumes order by id")]
    params["packages"] = [row["name"] for row in base.execute("select name from packages order by id")]
    server = "http://10.0.0.1"
    return {"host": dict(host), "params": params, "server": server, "documents": f"{server}/documents/{host['id']}", "callback": f"{server}/callback/{host['id']}"}
