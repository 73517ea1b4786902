"""The page in a browser and the REST API: scans of people whom nobody here knows, labelled within strict limits."""
