"""Two workers of gunicorn's ASGI kind; each makes its own monitor, and closes it however it ends."""

from tidegauge.serving.gunicorn import worker_exit

__all__ = ["worker_exit"]

wsgi_app = "app:app"
worker_class = "asgi"
workers = 2
bind = "127.0.0.1:8000"
