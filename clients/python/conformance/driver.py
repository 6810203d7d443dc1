"""Makes calls as it is told; clients/conformance/README.md says how."""

import argparse
import asyncio

import aio_calls
import sync_calls

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sync", action="store_true", help="on grpc instead of grpc.aio")
    if parser.parse_args().sync:
        sync_calls.run()
    else:
        asyncio.run(aio_calls.run())
