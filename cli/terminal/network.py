"""HTTP requests that are shown on the terminal while the user waits for them."""

from sigv4.http import HttpClient, Response
from sigv4.request import Request, split_url

from .progress import activity

__all__ = ["ShownHttpClient"]


class ShownHttpClient(HttpClient):
    """An HTTP client that shows on the terminal which host the user is waiting for."""

    def send(self, request: Request) -> Response:
        """Sends a request like HttpClient.send, and meanwhile shows the host on the terminal."""
        with activity(f"waiting for {split_url(request.url).hostname}"):
            return super().send(request)
