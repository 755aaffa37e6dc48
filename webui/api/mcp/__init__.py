"""The tools that this studio offers to agents, by the Model Context Protocol.

Only routes/mcp.py may import from here, and late: the protocol's library takes half a second.
"""
