"""cobbler - a stand-in for Cobbler, which Debian does not package; it does what Cobbler's way of work costs at the least.

Like Cobbler 3: items are JSON files held as collections in one daemon; the web side asks that daemon by XML-RPC over TCP; the daemon finds
the system by its MAC by walking the collection, lays settings, profile and system over each other in copies, and compiles the Cheetah template for
the request. Left out, in Cobbler's favour: its macros and snippets, kernel options, power and sync code, and its triggers. Cobbler itself did
34 requests a second where this work was first measured; what this stand-in does is an upper bound for it.
"""
import copy, json, os, threading, xmlrpc.client
from socketserver import ThreadingMixIn
from xmlrpc.server import SimpleXMLRPCRequestHandler, SimpleXMLRPCServer

from Cheetah.Template import Template
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.responses import PlainTextResponse
from starlette.routing import Route

HERE = os.path.dirname(os.path.abspath(__file__))
FOLDER = os.environ["INVENTORY"]


class Daemon:
    """What cobblerd is to the web side."""

    def __init__(self):
        self.settings = json.load(open(f"{FOLDER}/settings.json"))
        self.profiles = {"bench": {"name": "bench", "params": {}}}
        self.systems = {}
        for entry in os.scandir(f"{FOLDER}/systems"):
            item = json.load(open(entry.path))
            self.systems[item["name"]] = item
        self.texts = {name: open(f"{HERE}/{name}.cheetah").read() for name in ("script", "kickstart")}

    def generate(self, name, mac):
        system = next((item for item in self.systems.values() if item["mac"] == mac), None)
        if system is None:
            return ""
        params = copy.deepcopy(self.settings)
        for item in (self.profiles[system["profile"]], system):
            params.update(copy.deepcopy(item["params"]))
        server = "http://10.0.0.1"
        values = {"host": system, "params": params, "server": server, "documents": server + "/documents", "callback": server + "/callback"}
        return str(Template.compile(source=self.texts[name], useCache=False, cacheCompilationResults=False)(searchList=[values]))


class Server(ThreadingMixIn, SimpleXMLRPCServer):
    daemon_threads = True


class Quiet(SimpleXMLRPCRequestHandler):
    protocol_version = "HTTP/1.1"  # connections stay open, in Cobbler's favour

    def log_request(self, *_):
        pass


server = Server(("127.0.0.1", 25151), requestHandler=Quiet, allow_none=True)
server.register_instance(Daemon())
threading.Thread(target=server.serve_forever, daemon=True).start()
mine = threading.local()


def ask(name, mac):
    if not hasattr(mine, "daemon"):
        mine.daemon = xmlrpc.client.ServerProxy("http://127.0.0.1:25151")
    return mine.daemon.generate(name, mac)


def document(name):
    async def answer(request):
        text = await run_in_threadpool(ask, name, request.query_params["mac"])
        return PlainTextResponse(text, 200 if text else 404)

    return Route(f"/{name}", answer)


app = Starlette(routes=[document("script"), document("kickstart")])
