"""The one write path: everything that happens enters here, is judged, decided and saved in one transaction."""
