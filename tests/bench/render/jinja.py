"""jinja - a boot server's two documents by Jinja2: templates parsed once, a host's rows looked up for each request (Starlette, uvicorn)."""
import os

import inventory
import jinja2
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

HERE = os.path.dirname(os.path.abspath(__file__))
base = inventory.connect(os.environ["INVENTORY"])
environment = jinja2.Environment(trim_blocks=True, lstrip_blocks=True)


def document(name):
    template = environment.from_string(open(f"{HERE}/{name}.j2").read())

    async def answer(request):
        values = inventory.load(base, request.query_params["mac"])
        return PlainTextResponse(template.render(**values)) if values else PlainTextResponse("", 404)

    return Route(f"/{name}", answer)


app = Starlette(routes=[document("script"), document("kickstart")])
