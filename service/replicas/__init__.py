"""Several servers on one database: who is there, who has which stream and job, and how all tell the same."""
