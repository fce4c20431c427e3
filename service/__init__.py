"""The server: uploads, streams, events, and the page. May import pipelines and models; never reaches torch."""
