"""loop.js, the script for a website's pages; its README tells what it does and what it leaves alone."""
