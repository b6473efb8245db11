"""What the report and the page of the service share: their colours.

Files of the browser's languages only; nothing is imported here, and it knows nothing of the rest.
"""
