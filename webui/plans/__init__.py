"""Plans over many pictures: grids, matrices, lists of prompts, folders; each cell is a job."""
