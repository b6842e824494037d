"""A small client of the api for the command line: pages, and a stream that resumes by itself."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

import httpx
from httpx_sse import EventSource
from pydantic import ValidationError

from api.views.machines import FleetView
from common.errors import BackendMissingError, BackendUnavailableError, UserError

TIMEOUT: Final = httpx.Timeout(30.0, connect=5.0)
STREAM_TIMEOUT: Final = httpx.Timeout(5.0, read=330.0)
"""Longer than the longest heartbeat that can be set (300 s): silence beyond it is a dead line."""

FIRST_WAIT_S: Final = 0.5
LONGEST_WAIT_S: Final = 10.0


Query = Mapping[str, str | int | None]
"""Parameters; those that are none are left out."""


class ApiClient:
    """Asks one api.

    Args:
        url: Its base URL.
        transport: For tests: what to send requests through.
        key: An API key, where the api asks for one.
    """

    def __init__(
        self, url: str, transport: httpx.BaseTransport | None = None, key: str = ""
    ) -> None:
        self._url = url.rstrip("/")
        self._transport = transport
        self._headers = {"X-API-Key": key} if key else {}

    @property
    def url(self) -> str:
        """Which api is asked."""
        return self._url

    def get(self, path: str, query: Query, *, also: Sequence[int] = ()) -> Any:
        """Return the JSON body of a GET; parameters that are none are left out.

        Args:
            path: What is asked for.
            query: Its parameters.
            also: Statuses that are no success, but answers all the same.

        Raises:
            UserError: If the api refuses the question, or what answers is none.
            BackendMissingError: If no api answers.
            BackendUnavailableError: If it answers that it cannot now.
        """
        with _clear_errors(self._url), self._client(TIMEOUT) as client:
            answer = client.get(path, params=_given(query))
            if answer.status_code not in also:
                _check(answer)
            return self._body(answer)

    def items(self, path: str, query: Query, most: int | None = None) -> Iterator[Any]:
        """Yield the items of all pages, one after the other.

        Args:
            path: What is listed.
            query: Its parameters; ``limit`` is the size of a page.
            most: After how many to stop; never if none.

        Raises:
            UserError, BackendMissingError, BackendUnavailableError: As :meth:`get`.
        """
        cursor: str | None = None
        count = 0
        while True:
            page = self.get(path, {**query, "cursor": cursor})
            if not isinstance(page, dict) or not isinstance(page.get("items"), list):
                raise stranger(self._url)
            for item in page["items"]:
                yield item
                count += 1
                if count == most:
                    return
            cursor = page.get("next_cursor")
            if cursor is None:
                return

    def post(self, path: str, body: Mapping[str, object]) -> Any:
        """Return the JSON body of a POST; fields that are none are left out.

        Raises:
            UserError, BackendMissingError, BackendUnavailableError: As :meth:`get`.
        """
        given = {name: value for name, value in body.items() if value is not None}
        with _clear_errors(self._url), self._client(TIMEOUT) as client:
            answer = client.post(path, json=given)
            _check(answer)
            return self._body(answer)

    def fleet(self, name: str) -> FleetView | None:
        """Return what a fleet's machines report; none if the api does not say.

        It does not if there is no such fleet, if it is of an earlier version, or if it is away.
        """
        try:
            answer = self.get(f"/api/v1/machines/{name}", {})
            return FleetView.model_validate_json(json.dumps(answer))
        except (UserError, BackendMissingError, BackendUnavailableError, ValidationError):
            return None

    def follow(
        self,
        path: str,
        query: Query,
        on_cut: Callable[[str, float], None],
        pause: Callable[[float], None] = time.sleep,
    ) -> Iterator[str]:
        """Yield the data of each event of a stream, for ever: a stream that breaks is resumed.

        Args:
            path: The stream.
            query: Its parameters.
            on_cut: Told why the stream broke, and how long we wait, s.
            pause: What waits.

        Raises:
            UserError: If the api refuses, for example because it no longer knows the last id.
            BackendMissingError: If no api answered the first time.
        """
        last_id: str | None = None
        wait_s = FIRST_WAIT_S
        while True:
            headers = {} if last_id is None else {"Last-Event-ID": last_id}
            try:
                with _clear_errors(self._url), self._client(STREAM_TIMEOUT) as client:
                    request = client.build_request(
                        "GET", path, params=_given(query), headers=headers
                    )
                    answer = client.send(request, stream=True)
                    try:
                        if answer.is_error:
                            answer.read()
                        _check(answer)
                        for event in EventSource(answer).iter_sse():
                            wait_s = FIRST_WAIT_S
                            last_id = event.id or last_id
                            if event.data:
                                yield event.data
                    finally:
                        answer.close()
                why = "the api ended the stream"
            except (BackendMissingError, BackendUnavailableError) as exc:
                if last_id is None:
                    raise
                why = str(exc)
            on_cut(why, wait_s)
            pause(wait_s)
            wait_s = min(wait_s * 2, LONGEST_WAIT_S)

    def _body(self, answer: httpx.Response) -> Any:
        try:
            return answer.json()
        except ValueError as exc:
            raise stranger(self._url) from exc

    def _client(self, timeout: httpx.Timeout) -> httpx.Client:
        # no proxies from the environment: the api is on this machine, or meant to be reached as is
        return httpx.Client(
            base_url=self._url,
            timeout=timeout,
            transport=self._transport,
            trust_env=False,
            headers=self._headers,
        )


def stranger(url: str) -> UserError:
    """Return the error for a server that answers, but not as our api does."""
    return UserError(
        f"What answers at {url} is no api of Surgeline, or one of another version. Give the "
        "address of one with --url; `surgeline up` prints its own."
    )


def _given(query: Query) -> dict[str, str | int]:
    return {name: value for name, value in query.items() if value is not None}


def _check(answer: httpx.Response) -> None:
    if answer.is_success:
        return
    try:
        detail = str(answer.json()["detail"])
    except (ValueError, KeyError, TypeError) as exc:
        if not answer.is_server_error:  # ours always gives a reason
            raise stranger(f"{answer.url}") from exc
        detail = f"status {answer.status_code}, and no reason"
    if answer.is_server_error:
        raise BackendUnavailableError(f"The api at {answer.url} cannot answer: {detail}")
    raise UserError(f"The api refused: {detail}")


@contextmanager
def _clear_errors(url: str) -> Iterator[None]:
    try:
        yield
    except (httpx.ConnectError, httpx.ConnectTimeout) as exc:
        raise BackendMissingError(
            f"No api answers at {url}. Start one with `surgeline up`, or give its address with "
            "--url."
        ) from exc
    except (httpx.InvalidURL, httpx.UnsupportedProtocol) as exc:
        raise UserError(f"{url!r} is not an address. Expected http://HOST:PORT.") from exc
    except httpx.HTTPError as exc:
        raise BackendUnavailableError(f"The connection to {url} broke: {exc}") from exc
